/** A thread that hammers a shared memory: passes arrays round, makes others, computes, and checks every element. */
import * as mx from "mlx-ts";
import { joinMemory, openArrays, shareArrays } from "mlx-ts/worker";
import { workerPort } from "../setup/workers.ts";

/** What the thread is told to do. */
export interface HammerTask {
  readonly kind: "join" | "hammer";
  readonly [key: string]: unknown;
}

const port = workerPort();
const kept: mx.MLXArray[] = [];
let turn = 0;

/** An array all of whose elements are the same, and a product of it, so that the thread computes too. */
async function makeArray(): Promise<mx.MLXArray> {
  const length = 600 + ((turn * 7919) % 50_000);
  const made = mx.full([length], turn % 1000).add(1);
  await mx.evaluate(made);
  return made;
}

/** Throws unless all elements are equal. */
async function checkArray(x: mx.MLXArray): Promise<void> {
  const elements = await x.view();
  const first = elements[0];
  if (elements[elements.length - 1] !== first || elements[elements.length >> 1] !== first)
    throw new Error(`elements differ: ${first}, ${elements[elements.length >> 1]}, ${elements[elements.length - 1]}`);
}

async function answer(message: unknown): Promise<void> {
  const { kind, ...rest } = Object(message);
  if (kind === "join") {
    joinMemory(rest.ticket, { threads: 1 });
    port.post({ kind: "joined" });
    return;
  }
  turn++;
  const { arrays } = Object(openArrays(rest));
  const received: mx.MLXArray[] = arrays;
  for (const x of received) await checkArray(x);
  // Keeps some for a while, passes some on, lets go of the rest.
  const passed = received.filter((_, k) => (turn + k) % 3 === 0);
  for (const x of received) if (!passed.includes(x)) kept.push(x);
  while (kept.length > 12) kept.shift()?.dispose();
  const made = await Promise.all([makeArray(), makeArray()]);
  const { message: reply } = await shareArrays({ kind: "done", arrays: [...passed, ...made] });
  port.post(reply);
  for (const x of [...passed, ...made]) x.dispose();
}

port.onMessage((message) => {
  answer(message).catch((error: unknown) => port.post({ kind: "failed", error: String(error) }));
});
