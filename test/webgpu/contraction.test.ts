/** Products on the GPU against the interpreter: odd lengths, every layout of the operands, what is fused before and after. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it, vi } from "vitest";
import { emitContraction } from "../../src/backends/webgpu/contraction-kernel.ts";
import type { ContractionSchedule } from "../../src/backends/webgpu/contraction-schedule.ts";
import { contractionSchedule, printSchedule } from "../../src/backends/webgpu/contraction-schedule.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { given, kernelOf } from "../setup/planned-kernels.ts";
import type { Comparison } from "./compare-kernel.ts";
import { compareKernel } from "./compare-kernel.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

// Loops instead of long texts, which software drivers compile slowly.
const small = {
  kind: "tile",
  rows: 32,
  columns: 32,
  depth: 16,
  threadRows: 4,
  threadColumns: 4,
  teams: 4,
  stages: 1,
  unrolled: 1,
  slices: 1,
} as const;
const medium = { ...small, rows: 64, columns: 64, threadRows: 8, threadColumns: 8, teams: 1 } as const;
const large = { ...medium, rows: 128, columns: 128, depth: 8, stages: 2 } as const;

/** Compares the product that `roots` need, computed by `schedule`, with the interpreter. */
async function check(
  roots: mx.MLXArray | readonly mx.MLXArray[],
  schedule: ContractionSchedule = small,
  options: Comparison = {},
): Promise<void> {
  const kernel = kernelOf("contraction", ...[roots].flat());
  await compareKernel(kernel, (_, target) => emitContraction(kernel, target, schedule), {
    targets: [floorTarget],
    ...options,
  });
}

describe("tiles of every size, beyond which the product reaches a little", () => {
  it("small, with four teams", async () => {
    await check((await given([33, 17])).matmul(await given([17, 31])));
  });

  it("medium, with one team and with two", async () => {
    await check((await given([67, 18])).matmul(await given([18, 68])), medium);
    await check((await given([67, 18])).matmul(await given([18, 68])), { ...medium, teams: 2 });
    await check((await given([18, 67])).T.matmul((await given([68, 18])).T), { ...medium, teams: 2 });
  });

  it("large, from two stages of memory", async () => {
    await check((await given([130, 20])).matmul(await given([20, 132])), large);
  });

  it("sums in slices, added up in order by a second dispatch", async () => {
    await check((await given([3, 200])).matmul(await given([200, 5])).add(1), { ...small, slices: 3 });
  });
});

describe("layouts", () => {
  it("the left operand transposed", async () => {
    await check(mx.transpose(await given([24, 36])).matmul(await given([24, 40])));
  });

  it("the right operand transposed", async () => {
    await check((await given([36, 24])).matmul(mx.transpose(await given([40, 24]))));
  });

  it("a batch on both sides, and one that the left side shares", async () => {
    await check((await given([2, 3, 6, 20])).matmul(await given([2, 3, 20, 9])));
    await check((await given([6, 20])).matmul(await given([3, 20, 8])));
  });
});

describe("what is fused", () => {
  it("bias and gelu after the product, in vectors and one by one", async () => {
    const x = await given([33, 20]);
    await check(nn.gelu(x.matmul(await given([20, 36])).add(await given([36]))));
    await check(nn.gelu(x.matmul(await given([20, 35])).add(await given([35]))));
  });

  it("two outputs, one of them in bytes", async () => {
    const y = (await given([9, 20])).matmul(await given([20, 14]));
    await check([y, mx.greater(y, 0.25)]);
  });

  it("half floats, summed in float32", async () => {
    await check((await given([9, 20], "float16")).matmul(await given([20, 13], "float16")));
    await check((await given([9, 20], "bfloat16")).matmul(await given([20, 12], "bfloat16")).add(1));
  });

  it("operands that are computed: a function, weights in bytes with a scale", async () => {
    const x = await given([9, 24]);
    await check(mx.exp(x).matmul((await given([24, 12])).multiply(0.5)));
    const weights = mx.asType(await given([24, 12], "int8"), "float32").multiply(await given([12]));
    await check(x.matmul(weights));
  });

  it("rows that are gathered", async () => {
    const places = mx.array([3, 1, 2, 0, 5, 4, 3, 3, 1], "int32");
    await mx.evaluate(places);
    await check(mx.take(await given([7, 24]), places, 0).matmul(await given([24, 12])));
  });

  it("convolutions: windows with padding, with strides, of channels that are no multiple of four", async () => {
    const image = await given([2, 6, 5, 8]);
    const weights = await given([12, 3, 3, 8]);
    await check(mx.conv2d(image, weights, { padding: 1 }));
    await check(mx.conv2d(image, weights, { stride: 2, padding: 1 }));
    await check(mx.conv2d(await given([1, 6, 5, 3]), await given([5, 3, 3, 3]), { padding: 1 }));
  });
});

describe("the schedule", () => {
  const chosen = async (m: number, n: number, k: number): Promise<string> => {
    const a = mx.broadcastTo(await given([1, 1]), [m, k]);
    const b = mx.broadcastTo(await given([1, 1]), [k, n]);
    return printSchedule(contractionSchedule(kernelOf("contraction", a.matmul(b)), floorTarget));
  };

  it("suits the size of the product", async () => {
    expect(await chosen(1, 4096, 4096)).toBe("loop");
    expect(await chosen(16, 16, 16)).toBe("loop");
    expect(await chosen(4096, 4096, 4096)).toMatch(/^tile 128×128×8, thread 8×8, teams 1, stages 2/);
    expect(await chosen(1024, 1024, 1024)).toMatch(/^tile 64×64×16, thread 8×8, teams 2, stages 1/);
    expect(await chosen(1024, 1024, 256)).toMatch(/^tile 64×64×16, thread 8×8, teams 1, stages 1/);
    expect(await chosen(128, 1024, 256)).toMatch(/^tile 32×32×16, thread 4×4, teams 4, .* slices 1$/);
    expect(await chosen(64, 64, 65536)).toMatch(/slices 24$/);
  });
});
