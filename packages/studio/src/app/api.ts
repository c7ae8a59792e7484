/** What the page asks of the server that served it. */
import { type ControlCommand, type RunEvent, readRunEvents } from "mlx-ts/train";

/** A run in the list. */
export interface RunInfo {
  readonly name: string;
  readonly modified: number;
  readonly byteLength: number;
  readonly isLive: boolean;
}

/** The runs of the directory, the latest first. */
export async function fetchRuns(): Promise<{ readonly directory: string; readonly runs: readonly RunInfo[] }> {
  return (await ask("/api/runs")).json();
}

/** The events of a run that lie behind `from`, some of them, and where they end. */
export async function fetchEvents(
  name: string,
  from: number,
): Promise<{ readonly events: readonly RunEvent[]; readonly end: number }> {
  const response = await ask(`/api/runs/${encodeURIComponent(name)}/events?from=${from}`);
  return { events: readRunEvents(await response.text()), end: Number(response.headers.get("x-end") ?? from) };
}

/** Asks something of the training of a run. */
export async function sendCommand(name: string, command: ControlCommand): Promise<void> {
  await ask(`/api/runs/${encodeURIComponent(name)}/commands`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(command),
  });
}

async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, options);
  if (!response.ok) throw new Error((await response.text()) || `the studio answered ${response.status}`);
  return response;
}
