/** The definition of kernels: runs them as they are written, in plain TypeScript, one point of their loops after the other. */
import type { TypedArray } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import type { Axis, ScalarValue } from "./expr.ts";
import { accumulatorOf, operandOf } from "./interpret-reduction.ts";
import { Tape } from "./interpret-tape.ts";
import type { ContractionKernel, Kernel, Loop, LoopKernel, Store } from "./kernel.ts";

/** Runs a kernel on its buffers, one per slot, with the values of its lifted constants. */
export type Interpreter = (buffers: readonly TypedArray[], constants: readonly ScalarValue[]) => void;

/** Runs `kernel` once; see `interpreterOf`. */
export function interpret(kernel: Kernel, buffers: readonly TypedArray[], constants: readonly ScalarValue[]): void {
  interpreterOf(kernel)(buffers, constants);
}

/**
 * Makes `kernel` ready to run. Every instruction rounds to its dtype; sums and products of floats are taken in float64 and
 * rounded once. Elements outside a buffer read as 0, so both sides of a select can be computed.
 */
export function interpreterOf(kernel: Kernel): Interpreter {
  switch (kernel.kind) {
    case "loop":
      return loopInterpreter(kernel);
    case "contraction":
      return contractionInterpreter(kernel);
    case "routine":
      return (buffers) => kernel.run(buffers);
    case "composite":
      throw new MLXError(kernel.call.name, "a composite is interpreted through its definition");
  }
}

function loopInterpreter({ root }: LoopKernel): Interpreter {
  const tape = new Tape();
  const run = compileLoop(tape, root);
  return (buffers, constants) => {
    tape.bind(buffers, constants);
    run();
  };
}

/** Everything a loop does, its children included. */
function compileLoop(tape: Tape, { axes, children, reduces, stores }: Loop): () => void {
  const inner = children.map((child) => compileLoop(tape, child));
  const accumulators = reduces.map((reduce) => accumulatorOf(tape, reduce));
  const operands = tape.program(reduces.flatMap((reduce) => reduce.args));
  const write = compileStores(tape, stores);
  const nest = nestOf(tape, axes, () => {
    for (const child of inner) child();
    operands();
    for (const { take } of accumulators) take();
    write();
  });
  return () => {
    for (const { start } of accumulators) start();
    nest();
    for (const { finish } of accumulators) finish();
  };
}

function compileStores(tape: Tape, stores: readonly Store[]): () => void {
  const prepare = tape.program(stores.flatMap(({ index, value }) => [index, value]));
  const writers = stores.map((store) => tape.writer(store));
  return () => {
    prepare();
    for (const write of writers) write();
  };
}

/** `body` for every point of `axes`, row-major. */
function nestOf(tape: Tape, axes: readonly Axis[], body: () => void): () => void {
  return axes.reduceRight<() => void>((inner, axis) => {
    const place = tape.placeOfAxis(axis);
    return () => {
      for (let position = 0; position < axis.length; position++) {
        tape.numbers[place] = position;
        inner();
      }
    };
  }, body);
}

function contractionInterpreter(kernel: ContractionKernel): Interpreter {
  const { batch, m, n, k, left, right, dtype, result, stores } = kernel;
  const tape = new Tape();
  const [a, b] = [operandOf(tape, left), operandOf(tape, right)];
  const product = { dtype, number: () => a.number() * b.number(), big: () => a.big() * b.big() };
  const accumulator = accumulatorOf(tape, result, product);
  const operands = tape.program([left, right]);
  const write = compileStores(tape, stores);
  const sum = nestOf(tape, [k], () => {
    operands();
    accumulator.take();
  });
  const run = nestOf(tape, [...batch, m, n], () => {
    accumulator.start();
    sum();
    accumulator.finish();
    write();
  });
  return (buffers, constants) => {
    tape.bind(buffers, constants);
    run();
  };
}
