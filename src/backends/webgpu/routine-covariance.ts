/** Factors of covariance matrices by cyclic Jacobi rotations, a workgroup for each matrix. */
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { inputOf, outputSlot, RoutineShader, routineThreads, rowsOf } from "./routine-shader.ts";
import type { Shader } from "./wgsl-shader.ts";

/** Rounds over all pairs of rows; each squares what is left beside the diagonal, once it is small. */
const sweeps = 15;

/** A with AᵀA the input: eigenvectors as rows, greatest first, scaled by the root of their eigenvalue. See Golub & Van Loan, Matrix Computations, 8.5. */
export function emitCovarianceFactor(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { rows, length: n } = rowsOf(inputOf(kernel.call, 0));
  const matrices = rows / n;
  const routine = new RoutineShader(kernel, target);
  const { shader, memory } = routine;
  const base = shader.let("base", `${routine.group(matrices)} * ${n * n}`);
  const a = memory.scratch(0, "f32", true);
  const vectors = memory.scratch(1, "f32", true);
  each(shader, n * n, (at) => {
    shader.line(`${a}[${base} + ${at}] = ${memory.load(0, `${base} + ${at}`)};`);
    shader.line(`${vectors}[${base} + ${at}] = select(0f, 1f, ${at} % ${n} == ${at} / ${n});`);
  });
  storageBarrier(shader);
  const entry = (matrix: string, row: string, column: string): string =>
    `${matrix}[${base} + (${row}) * ${n} + ${column}]`;
  shader.block(`for (var sweep = 0; sweep < ${sweeps}; sweep++)`, () => {
    shader.block(`for (var p = 0; p < ${n - 1}; p++)`, () => {
      shader.block(`for (var q = p + 1; q < ${n}; q++)`, () => {
        const off = shader.let("off", entry(a, "p", "q"));
        const tau = shader.let("tau", `(${entry(a, "q", "q")} - ${entry(a, "p", "p")}) / (2f * ${off})`);
        const size = shader.let("size", `1f / (abs(${tau}) + sqrt(1f + ${tau} * ${tau}))`);
        // Nothing to do where the entry is 0 already, or too small to turn anything.
        const t = shader.let(
          "t",
          `select(0f, select(${size}, -${size}, ${tau} < 0f), ${off} != 0f && abs(${tau}) < 1e18f)`,
        );
        const c = shader.let("c", `1f / sqrt(1f + ${t} * ${t})`);
        const s = shader.let("s", `${t} * ${c}`);
        storageBarrier(shader);
        const turn = (first: string, second: string): void => {
          const [x, y] = [shader.let("x", first), shader.let("y", second)];
          shader.line(`${first} = ${c} * ${x} - ${s} * ${y};`);
          shader.line(`${second} = ${s} * ${x} + ${c} * ${y};`);
        };
        each(shader, n, (k) => {
          turn(entry(a, k, "p"), entry(a, k, "q"));
          turn(entry(vectors, k, "p"), entry(vectors, k, "q"));
        });
        storageBarrier(shader);
        each(shader, n, (k) => turn(entry(a, "p", k), entry(a, "q", k)));
        storageBarrier(shader);
      });
    });
  });
  each(shader, n, (column) => {
    const own = shader.let("own", entry(a, column, column));
    shader.line("var rank = 0;");
    shader.block(`for (var k = 0; k < ${n}; k++)`, () => {
      const other = shader.let("other", entry(a, "k", "k"));
      shader.block(`if (${other} > ${own} || (${other} == ${own} && k < ${column}))`, () => shader.line("rank++;"));
    });
    const scale = shader.let("scale", `sqrt(max(${own}, 0f))`);
    shader.block(`for (var k = 0; k < ${n}; k++)`, () => {
      const value = `${scale} * ${entry(vectors, "k", column)}`;
      shader.line(memory.store(outputSlot(kernel), `${base} + rank * ${n} + k`, value));
    });
  });
  const bytes = matrices * n * n * 4;
  return { dispatches: [routine.dispatch()], scratchBytes: [bytes, bytes] };
}

/** `body` for each number below `count`, divided among the threads. */
function each(shader: Shader, count: number, body: (at: string) => void): void {
  const at = shader.name("at");
  shader.block(`for (var ${at} = i32(thread); ${at} < ${count}; ${at} += ${routineThreads})`, () => body(at));
}

function storageBarrier(shader: Shader): void {
  shader.line("storageBarrier();");
}
