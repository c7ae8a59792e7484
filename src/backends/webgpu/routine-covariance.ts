/** Roots of covariance matrices by one-sided Jacobi rotations, a workgroup for each matrix. */
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { inputOf, outputSlot, RoutineShader, routineThreads, rowsOf } from "./routine-shader.ts";
import type { Shader } from "./wgsl-shader.ts";

/** Rounds over all pairs of rows; each squares what is left of their products, once it is small. */
const sweeps = 15;

/**
 * U √S Vᵀ of the input U S Vᵀ, as its definition in TypeScript has it: rotations make the rows orthogonal.
 *
 * A sweep is a round-robin tournament of the rows (Brent & Luk 1985): in each round all pairs are apart, and a thread
 * turns one.
 */
export function emitCovarianceRoot(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { rows, length: n } = rowsOf(inputOf(kernel.call, 0));
  const matrices = rows / n;
  const routine = new RoutineShader(kernel, target);
  const { shader, memory } = routine;
  const [group, wide] = [routine.group(matrices), 2 * n];
  const begin = shader.let("begin", `${group} * ${n * n}`);
  // Each row of the matrix, as it is turned, and behind it the row of the rotation that turned it so.
  const rowsBegin = shader.let("rowsBegin", `${group} * ${n * wide}`);
  const buffer = memory.scratch(0, "f32", true);

  // Products of rows would leave float32's range: a power of two brings the greatest element near 1.
  shader.line("var largest = 0f;");
  along(shader, begin, n * n, 1, (k) => shader.line(`largest = max(largest, abs(${memory.load(0, k)}));`));
  const exponent = shader.let("exponent", "clamp(bitcast<u32>(largest) >> 23, 1u, 253u)");
  const power = shader.let("power", `bitcast<f32>(${exponent} << 23)`);
  const inverse = shader.let("inverse", `bitcast<f32>((254u - ${exponent}) << 23)`);
  each(shader, n * n, (at) => {
    const place = shader.let("place", `${rowsBegin} + ${at} / ${n} * ${wide} + ${at} % ${n}`);
    shader.line(`${buffer}[${place}] = ${memory.load(0, `${begin} + ${at}`)} * ${inverse};`);
    shader.line(`${buffer}[${place} + ${n}] = select(0f, 1f, ${at} / ${n} == ${at} % ${n});`);
  });
  shader.line("storageBarrier();");

  const seats = n + (n % 2) - 1;
  shader.block(`for (var sweep = 0; sweep < ${sweeps}; sweep++)`, () => {
    shader.block(`for (var round = 0; round < ${seats}; round++)`, () => {
      each(shader, (seats + 1) / 2, (pair) => {
        // One row stays, the others move on by a seat; of an odd number of rows, the one that stays is none.
        const p = shader.let("p", `select((round + ${pair}) % ${seats}, ${seats}, ${pair} == 0)`);
        const q = shader.let("q", `(round + ${seats} - ${pair}) % ${seats}`);
        shader.block(`if (${p} < ${n})`, () => {
          const first = shader.let("first", `${rowsBegin} + ${p} * ${wide}`);
          turn(shader, buffer, n, first, shader.let("apart", `(${q} - ${p}) * ${wide}`));
        });
      });
      shader.line("storageBarrier();");
    });
  });

  each(shader, n, (row) => {
    const first = shader.let("first", `${rowsBegin} + ${row} * ${wide}`);
    shader.line("var square = 0f;");
    along(shader, first, n, 1, (k) => shader.line(`square += ${buffer}[${k}] * ${buffer}[${k}];`));
    const scale = shader.let("scale", `select(sqrt(${power} / sqrt(square)), 0f, square == 0f)`);
    along(shader, first, n, 1, (k) => shader.line(`${buffer}[${k}] *= ${scale};`));
  });
  shader.line("storageBarrier();");
  each(shader, n * n, (at) => {
    shader.line("var sum = 0f;");
    along(shader, rowsBegin, n, wide, (k) =>
      shader.line(`sum += ${buffer}[${k} + ${n} + ${at} / ${n}] * ${buffer}[${k} + ${at} % ${n}];`),
    );
    shader.line(memory.store(outputSlot(kernel), `${begin} + ${at}`, "sum"));
  });
  return { dispatches: [routine.dispatch()], scratchBytes: [matrices * n * wide * 4] };
}

/** Turns the row at `first` and the one `apart` from it, so that their first `n` columns become orthogonal. */
function turn(shader: Shader, buffer: string, n: number, first: string, apart: string): void {
  const both = (columns: number, body: (x: string, y: string, k: string) => void): void =>
    along(shader, first, columns, 1, (k) =>
      body(shader.let("x", `${buffer}[${k}]`), shader.let("y", `${buffer}[${k} + ${apart}]`), k),
    );
  shader.line("var pp = 0f; var qq = 0f; var pq = 0f;");
  both(n, (x, y) => shader.line(`pp += ${x} * ${x}; qq += ${y} * ${y}; pq += ${x} * ${y};`));
  // Nothing to do for rows that are orthogonal but for rounding.
  shader.block("if (!(abs(pq) <= 6e-8 * sqrt(pp) * sqrt(qq)))", () => {
    const tau = shader.let("tau", "(qq - pp) / (2f * pq)");
    const size = shader.let("size", `1f / (abs(${tau}) + sqrt(1f + ${tau} * ${tau}))`);
    // Where the square would overflow, the angle is too small to turn anything.
    const t = shader.let("t", `select(select(${size}, -${size}, ${tau} < 0f), 0f, abs(${tau}) > 1e18f)`);
    const c = shader.let("c", `1f / sqrt(1f + ${t} * ${t})`);
    const s = shader.let("s", `${t} * ${c}`);
    both(2 * n, (x, y, k) => {
      shader.line(`${buffer}[${k}] = ${c} * ${x} - ${s} * ${y};`);
      shader.line(`${buffer}[${k} + ${apart}] = ${s} * ${x} + ${c} * ${y};`);
    });
  });
}

/** `body` for `count` places from `begin` on. Where they begin is no constant, so no driver takes long to unroll the loop. */
function along(shader: Shader, begin: string, count: number, stride: number, body: (k: string) => void): void {
  const k = shader.name("k");
  shader.block(`for (var ${k} = ${begin}; ${k} < ${begin} + ${count * stride}; ${k} += ${stride})`, () => body(k));
}

/** `body` for each number below `count`, divided among the threads. */
function each(shader: Shader, count: number, body: (at: string) => void): void {
  const at = shader.name("at");
  shader.block(`for (var ${at} = i32(thread); ${at} < ${count}; ${at} += ${routineThreads})`, () => body(at));
}
