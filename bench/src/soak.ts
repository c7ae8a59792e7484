/**
 * `npm run bench -- soak [--minutes 60] [--seed 0]`: random computations on Node 24 with wide vectors and, in another
 * process, without the engine's flags; every result must have the same bits. Takes turns, so one core is busy at a time.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { node24Path } from "./cpu-peers.ts";
import { installPeers } from "./installed-peers.ts";
import type { SoakReply } from "./soak-process.ts";

/** Soaks for so many minutes, from a seed on; fails if a result differed. */
export async function soak(minutes: number, firstSeed: number): Promise<void> {
  installPeers();
  const [wide, narrow] = [start({}), start({ MLX_TS_ENGINE_FLAGS: "0" })];
  const counts = { rounds: 0, results: 0, elements: 0, differences: 0 };
  const kinds = new Map<string, number>();
  const began = performance.now();
  const report = (): void => {
    const passed = ((performance.now() - began) / 60_000).toFixed(1);
    const { rounds, results, elements, differences } = counts;
    console.log(
      `${passed} min: ${rounds} rounds, ${results} results, ${elements} elements, ${differences} differences`,
    );
  };
  try {
    let reportAt = began;
    for (let seed = firstSeed; performance.now() - began < minutes * 60_000; seed++) {
      const found = await answer(wide, seed);
      const wanted = await answer(narrow, seed);
      counts.rounds++;
      counts.results += wanted.digests.length;
      counts.elements += wanted.elements;
      kinds.set(wanted.kind, (kinds.get(wanted.kind) ?? 0) + 1);
      wanted.digests.forEach((digest, k) => {
        if (found.digests[k] === digest) return;
        counts.differences++;
        console.error(`DIFFERENT seed ${seed}, ${wanted.kind}, result ${k}`);
      });
      if (performance.now() < reportAt) continue;
      report();
      reportAt = performance.now() + 60_000;
    }
  } finally {
    wide.kill();
    narrow.kill();
  }
  report();
  console.log([...kinds].map(([kind, count]) => `${kind} ${count}`).join(", "));
  if (counts.differences > 0) process.exitCode = 1;
}

function start(environment: Readonly<Record<string, string>>): ChildProcess {
  return fork(fileURLToPath(new URL("./soak-process.ts", import.meta.url)), [], {
    execPath: node24Path,
    execArgv: ["--import", "tsx"],
    env: { ...process.env, MLX_TS_THREADS: "1", ...environment },
  });
}

async function answer(child: ChildProcess, seed: number): Promise<SoakReply> {
  child.send(seed);
  const ended = new AbortController();
  const died = once(child, "exit", { signal: ended.signal }).then((): never => {
    throw new Error(`a process of the soak ended at seed ${seed}`);
  });
  try {
    const [reply]: SoakReply[] = await Promise.race([once(child, "message"), died]);
    if (!reply) throw new Error("no reply");
    return reply;
  } finally {
    died.catch(() => {});
    ended.abort();
  }
}
