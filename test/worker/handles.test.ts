/** Arrays travel by handle: the same bytes on both sides, as long as either needs them. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import {
  admitWorker,
  discardArrays,
  fromHandle,
  openArrays,
  releaseWorker,
  shareArrays,
  sharing,
  toHandle,
} from "mlx-ts/worker";
import { describe, expect, it } from "vitest";
import { startWorker } from "../setup/workers.ts";

const startEcho = () =>
  startWorker(
    () => new Worker(new URL("./echo.worker.ts", import.meta.url), { type: "module" }),
    new URL("./echo.worker.ts", import.meta.url),
  );

describe("a handle", () => {
  it("leads to the same bytes, not to a copy", async () => {
    const x = mx.full([3000], 2);
    const y = fromHandle(await toHandle(x));
    const [own, other] = [await x.view(), await y.view()];
    expect(other.byteOffset).toBe(own.byteOffset);
    expect(other.buffer).toBe(own.buffer);
    x.dispose();
    y.dispose();
  });

  it("keeps the block until the last holder lets go", async () => {
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
    const before = mx.memory.active;
    const x = mx.full([3000], 2);
    const handle = await toHandle(x);
    x.dispose();
    expect(sharing()).toMatchObject({ blocks: 1, handles: 1 });
    expect(mx.memory.active).toBeGreaterThan(before);
    const y = fromHandle(handle);
    expect((await y.view())[2999]).toBe(2);
    y.dispose();
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
    expect(mx.memory.active).toBeLessThanOrEqual(before);
  });

  it("of a part of an array leads to a block of its own", async () => {
    const before = mx.memory.active;
    const x = mx.arange(6000).reshape([2, 3000]);
    await mx.evaluate(x);
    const part = x.get(1);
    const handle = await toHandle(part);
    x.dispose();
    part.dispose();
    const y = fromHandle(handle);
    expect((await y.view())[2999]).toBe(5999);
    y.dispose();
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
    expect(mx.memory.active).toBeLessThanOrEqual(before);
  });

  it("is opened once", async () => {
    const x = mx.full([3000], 2);
    const handle = await toHandle(x);
    x.dispose();
    fromHandle(handle).dispose();
    expect(() => fromHandle(handle)).toThrow(/let go of/);
  });

  it("evaluates what it is made of, in every dtype, empty and without axes too", async () => {
    const handles = await Promise.all([
      toHandle(mx.array([1, 2, 3]).mul(2)),
      toHandle(mx.array(5)),
      toHandle(mx.zeros([0, 3])),
      toHandle(mx.ones([1000], "float16")),
      toHandle(mx.array([1n, -2n])),
      toHandle(mx.array([true, false])),
    ]);
    const opened = handles.map((handle) => fromHandle(structuredClone(handle)));
    expect(opened.map(({ dtype }) => dtype)).toEqual(["float32", "float32", "float32", "float16", "int64", "bool"]);
    expect(opened[3]?.shape).toEqual([1000]);
    expect(await Promise.all(opened.filter((_, k) => k !== 3).map((x) => x.tolist()))).toEqual([
      [2, 4, 6],
      5,
      [],
      [1n, -2n],
      [true, false],
    ]);
  });
});

describe("shareArrays", () => {
  it("puts handles in place of arrays, once for each place, and leaves other data alone", async () => {
    const x = mx.full([1000], 3);
    const { message } = await shareArrays({ x, list: [x, 1, "a"], none: null });
    const { x: first, list, none } = Object(openArrays(message));
    expect((await first.view())[999]).toBe(3);
    expect((await list[0].view())[0]).toBe(3);
    expect([list[1], list[2], none]).toEqual([1, "a", null]);
    for (const array of [x, first, list[0]]) array.dispose();
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
  });

  it("refuses functions and modules", async () => {
    await expect(shareArrays({ f: () => 1 })).rejects.toThrow(/a function does not travel/);
    await expect(shareArrays(new nn.Linear(2, 2))).rejects.toThrow(/a module or an optimizer does not travel/);
  });

  it("lets go of what is discarded", async () => {
    const x = mx.full([1000], 3);
    const { message } = await shareArrays([x, x]);
    x.dispose();
    discardArrays(message);
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
  });
});

describe("a worker", () => {
  it("computes on the arrays it is sent, and what it sends outlives it", async () => {
    const worker = await startEcho();
    const ticket = admitWorker();
    const x = mx.arange(100_000);
    const { message } = await shareArrays({ ticket, x }, { receiver: ticket });
    worker.post(message);
    const { doubled, address, same } = Object(openArrays(await worker.next()));
    expect(address).toBe((await x.view()).byteOffset);
    expect((await same.view()).byteOffset).toBe(address);
    await worker.terminate();
    releaseWorker(ticket);
    const elements = await doubled.view();
    expect([elements[1], elements[99_999]]).toEqual([2, 199_998]);
    expect(await mx.sum(doubled.sub(x.mul(2)).abs()).item()).toBe(0);
    for (const array of [x, doubled, same]) array.dispose();
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
  });

  it("that ends before it opens its handles leaves nothing behind", async () => {
    const worker = await startEcho();
    const ticket = admitWorker();
    const x = mx.full([5000], 1);
    await shareArrays([x, x], { receiver: ticket });
    x.dispose();
    await worker.terminate();
    releaseWorker(ticket);
    expect(sharing()).toMatchObject({ blocks: 0, handles: 0 });
  });
});
