/** Serves the studio: its page, the runs of a directory, commands to them. On this machine alone. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { ArgumentError, requireOptions } from "mlx-ts";
import { readCommand } from "mlx-ts/train";
import { listRuns, readEvents, sendCommand } from "./runs.ts";

/** Where the studio listens, and what it shows. */
export interface StudioOptions {
  /** A directory of runs, as `train(…, { log })` writes them. */
  readonly directory: string;
  /** 4747 unless given; 0 takes a free one. */
  readonly port?: number | undefined;
  /** The folder of the built page; the one that the package brings unless given. */
  readonly page?: string | undefined;
}

/** A studio that runs. */
export interface Studio {
  /** The address of its page. */
  readonly address: string;
  close(): Promise<void>;
}

const host = "127.0.0.1";
/** What was built of `src/app`. */
const builtPage = fileURLToPath(new URL("../page", import.meta.url));
const commandBytes = 1000;

const contentTypes: ReadonlyMap<string, string> = new Map([
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".svg", "image/svg+xml"],
]);

/** An answer other than what was asked for. */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Starts a studio on a directory of runs. It listens on this machine's own address, answers only pages that it served itself, and
 * writes nothing but commands to runs.
 *
 * @throws {ArgumentError} for options of other names, or no directory; {Error} if the port is taken
 */
export async function startStudio(options: StudioOptions): Promise<Studio> {
  requireOptions("startStudio", options, ["directory", "port", "page"]);
  const { directory, port = 4747, page = builtPage } = options;
  if (typeof directory !== "string" || directory === "")
    throw new ArgumentError("startStudio", `directory is the path of a directory of runs, got ${String(directory)}`);
  const server = createServer((request, response) => {
    answer({ directory, page }, request, response).catch((error: unknown) => refuse(response, error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      reject(
        isTaken ? new Error(`port ${port} is taken, perhaps by another studio; name one: --port 0 takes any`) : error,
      );
    });
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  const address = `http://${host}:${typeof bound === "object" && bound ? bound.port : port}/`;
  return {
    address,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { directory, page }: { readonly directory: string; readonly page: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const own = `http://${request.headers.host ?? ""}`;
  // A page elsewhere may have its name point here, and a form may be sent from anywhere.
  if (!/^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(own))
    throw new Refusal(403, "the studio answers 127.0.0.1 alone");
  const { origin } = request.headers;
  if (origin !== undefined && origin !== own) throw new Refusal(403, "another page asked");
  const url = new URL(request.url ?? "/", own);
  const [, name, resource] = /^\/api\/runs\/([^/]+)\/(events|commands)$/.exec(url.pathname) ?? [];
  if (name !== undefined && resource === "events" && request.method === "GET") {
    const run = await knownRun(directory, name);
    const { lines, end } = await readEvents(directory, run, Number(url.searchParams.get("from") ?? 0) || 0);
    send(response, 200, "application/jsonl; charset=utf-8", lines, { "x-end": String(end) });
  } else if (name !== undefined && resource === "commands" && request.method === "POST") {
    if (request.headers["content-type"] !== "application/json") throw new Refusal(415, "a command is JSON");
    const command = readCommand(await bodyOf(request));
    if (!command)
      throw new Refusal(400, "this is no command: pause, resume, stop, or learningRate with a number from 0 on");
    await sendCommand(directory, await knownRun(directory, name), command);
    send(response, 204, "text/plain", "");
  } else if (url.pathname === "/api/runs" && request.method === "GET") {
    send(response, 200, "application/json", JSON.stringify({ directory, runs: await listRuns(directory) }));
  } else if (request.method === "GET") {
    await sendPage(response, page, url.pathname);
  } else throw new Refusal(405, "the studio does not know what that is");
}

/** The run of that name: nothing else of the disk can be asked for. */
async function knownRun(directory: string, encoded: string): Promise<string> {
  const name = decodeURIComponent(encoded);
  const runs = await listRuns(directory);
  if (!runs.some((run) => run.name === name)) throw new Refusal(404, `there is no run ${name}`);
  return name;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const part of request) {
    text += part;
    if (text.length > commandBytes) throw new Refusal(413, "a command is shorter");
  }
  return text;
}

async function sendPage(response: ServerResponse, folder: string, path: string): Promise<void> {
  const file = normalize(path === "/" ? "/index.html" : path);
  const type = contentTypes.get(extname(file));
  if (type === undefined || file.includes("..")) throw new Refusal(404, "there is no such page");
  try {
    send(response, 200, type, await readFile(join(folder, file)));
  } catch {
    throw new Refusal(404, "there is no such page");
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (response.headersSent) response.destroy();
  else send(response, error instanceof Refusal ? error.status : 500, "text/plain; charset=utf-8", message);
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; img-src 'self' data:",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}
