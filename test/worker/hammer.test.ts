/** Many threads over one memory lose nothing and leak nothing, also when some are ended in the middle. */
import * as mx from "mlx-ts";
import { admitWorker, openArrays, releaseWorker, shareArrays, sharing, type WorkerTicket } from "mlx-ts/worker";
import { expect, it } from "vitest";
import { sharedArena } from "../../src/worker/membership.ts";
import { startWorker, type TestWorker } from "../setup/workers.ts";

/** `VITE_HAMMER_SECONDS=60 npm run test:node -- hammer` runs for a minute. */
const seconds = Number(import.meta.env.VITE_HAMMER_SECONDS ?? 4);
const threadCount = 8;

interface Member {
  readonly worker: TestWorker;
  readonly ticket: WorkerTicket;
}

async function start(): Promise<Member> {
  const worker = await startWorker(
    () => new Worker(new URL("./hammer.worker.ts", import.meta.url), { type: "module" }),
    new URL("./hammer.worker.ts", import.meta.url),
  );
  const ticket = admitWorker();
  worker.post({ kind: "join", ticket });
  expect(await worker.next()).toEqual({ kind: "joined" });
  return { worker, ticket };
}

async function end({ worker, ticket }: Member): Promise<void> {
  await worker.terminate();
  releaseWorker(ticket);
}

it(
  `${threadCount} threads hammer one memory for ${seconds} s, some are ended, and nothing is lost or leaked`,
  async () => {
    const activeBefore = mx.memory.active;
    const members = await Promise.all(Array.from({ length: threadCount }, start));
    const before = sharedArena()?.census().freeChunks ?? 0;
    const deadline = performance.now() + seconds * 1000;
    let rounds = 0;
    let ended = 0;
    let inHand: mx.MLXArray[] = [mx.full([5000], 7), mx.full([3_000], 8)];
    const serve = async (position: number): Promise<void> => {
      while (performance.now() < deadline) {
        const member = members[position];
        if (!member) return;
        const arrays = inHand.splice(0, 4);
        const { message } = await shareArrays({ kind: "hammer", arrays }, { receiver: member.ticket });
        member.worker.post(message);
        for (const x of arrays) x.dispose();
        rounds++;
        if (rounds % 97 === 0) {
          // In the middle of its work, with handles on their way to it.
          ended++;
          await end(member);
          members[position] = await start();
          continue;
        }
        const reply = Object(openArrays(await member.worker.next()));
        if (reply.kind !== "done") throw new Error(String(reply.error));
        const received: mx.MLXArray[] = reply.arrays;
        for (const x of received) {
          const elements = await x.view();
          if (elements[0] !== elements[elements.length - 1]) throw new Error("elements differ");
        }
        inHand.push(...received);
        for (const x of inHand.splice(24)) x.dispose();
      }
    };
    await Promise.all(members.map((_, position) => serve(position)));
    for (const x of inHand) x.dispose();
    inHand = [];
    const atWork = sharing();
    for (const member of members) await end(member);
    console.log(`${rounds} rounds, ${ended} threads ended in the middle; blocks shared at the end: ${atWork.blocks}`);
    expect(rounds).toBeGreaterThan(threadCount);
    const census = sharedArena()?.census();
    expect({ shared: census?.shared, underway: census?.underway }).toEqual({ shared: 0, underway: 0 });
    expect(mx.memory.active).toBeLessThanOrEqual(activeBefore);
    // All that the threads had is nobody's again.
    expect(census?.freeChunks).toBeGreaterThanOrEqual(before);
  },
  (seconds + 60) * 1000,
);
