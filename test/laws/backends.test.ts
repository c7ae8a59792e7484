/** Every row on WebAssembly gives what the reference gives. */
import { describe, expect, it } from "vitest";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { dtypes } from "../../src/base/dtype.ts";
import { add } from "../../src/primitives/arithmetic.ts";
import { matmul } from "../../src/primitives/contraction.ts";
import { describeRows } from "./backend-rows.ts";
import { Bench, draw, Random } from "./bench.ts";

const backend = new WasmBackend();
const reference = new Bench();
const wasm = new Bench(backend);

describeRows({ name: "wasm", backend, dtypes });

describe("a product with a fused sum on wasm", () => {
  it.each([1025, 1100, 1153, 1281, 2049])(
    "agrees in every column of %i, whatever the threads' share",
    async (columns) => {
      const random = new Random(columns);
      const [a, b, c] = [
        [1, 3],
        [3, columns],
        [1, columns],
      ].map((shape) => ({ shape, values: draw({ shape }, random) }));
      if (!a || !b || !c) throw new Error("three operands are needed");
      const [expected = [], actual = []] = await Promise.all(
        [reference, wasm].map((bench) => {
          const [left, right, shift] = [a, b, c].map(({ shape, values }) => bench.array(values, shape, "float32"));
          if (!left || !right || !shift) throw new Error("three operands are needed");
          return bench.readOne(add(matmul(left, right), shift));
        }),
      );
      expect(actual.flatMap((value, k) => (Math.abs(value - (expected[k] ?? 0)) < 1e-6 ? [] : [k]))).toEqual([]);
    },
  );
});
