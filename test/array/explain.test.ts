/** What a computation will cost, and its graph as a drawing. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

describe("explain", () => {
  it("computes nothing", () => {
    const y = mx.array([1, 2]).add(1);
    mx.explain(y);
    expect(y.isEvaluated).toBe(false);
  });

  it("counts bytes and operations", () => {
    const x = mx.array(new Float32Array(1000));
    const { kernels, bytes, flops } = mx.explain(x.add(2).mul(3));
    expect(kernels).toHaveLength(1);
    expect(bytes).toBe(8000);
    expect(flops).toBe(2000);
  });

  it("counts two operations for each term of a product, and what follows it", () => {
    const [a, b] = [mx.array(new Float32Array(64)).reshape([8, 8]), mx.array(new Float32Array(64)).reshape([8, 8])];
    expect(mx.explain(a.matmul(b)).flops).toBe(2 * 8 * 8 * 8);
    expect(mx.explain(a.matmul(b).add(1)).flops).toBe(2 * 8 * 8 * 8 + 64);
  });

  it("counts each pass of a softmax: maximum; difference, power and sum; difference, power and quotient", () => {
    const x = mx.array(new Float32Array(100));
    expect(mx.explain(mx.softmax(x)).flops).toBe(100 * (1 + (1 + 12 + 1) + (1 + 12 + 3)));
  });

  it("names the kind of each kernel", () => {
    const [a, b] = [mx.array(new Float32Array(64)).reshape([8, 8]), mx.array(new Float32Array(64)).reshape([8, 8])];
    const { kernels } = mx.explain(mx.sort(a.matmul(b)).sum());
    expect(kernels.map(({ kind }) => kind)).toEqual(["contraction", "routine", "loop"]);
  });

  it("of something computed is nothing", async () => {
    const y = mx.array([1, 2]).add(1);
    await mx.evaluate(y);
    expect(mx.explain(y).kernels).toHaveLength(0);
    expect(mx.explain().kernels).toHaveLength(0);
    expect(`${mx.explain(y)}`).toBe("0 kernels, 0 bytes, 0 operations");
  });

  it("takes trees and prints a line for each kernel", () => {
    const x = mx.array([1, 2, 3]);
    const text = `${mx.explain({ a: mx.sort(x), b: [x.sum()] })}`;
    expect(text.split("\n")).toHaveLength(3);
    expect(text).toMatch(/^2 kernels, \d+ bytes, \d+ operations\n/);
    expect(text).toMatch(/routine sort/);
  });
});

describe("toDot", () => {
  it("draws the pending operations and their inputs", async () => {
    const x = mx.array([1, 2]);
    const y = x.add(x).tanh();
    const text = mx.toDot(y);
    expect(text).toMatch(/^digraph \{\n/);
    expect(text).toContain(`a${x.id} [label="data\\nfloat32 [2]", shape=box]`);
    expect(text).toMatch(/label="add\\nfloat32 \[2\]", shape=ellipse/);
    expect(text).toMatch(/label="tanh\\nfloat32 \[2\]", shape=ellipse/);
    expect(text.match(/ -> /g)).toHaveLength(3);
    await mx.evaluate(y);
    expect(mx.toDot(y).match(/ -> /g)).toBeNull();
  });
});
