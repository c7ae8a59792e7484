/** ONNX models written in code: the few messages of the format that the rows need, as protocol buffers. */

/** An attribute: a number (floats carry a point in `floats`), a text or a list of integers. */
export interface Attributes {
  readonly floats?: Readonly<Record<string, number>>;
  readonly integers?: Readonly<Record<string, number | readonly number[]>>;
  readonly texts?: Readonly<Record<string, string>>;
}

/** Collects the nodes and weights of a graph; values are named by the strings that its methods return. */
export class OnnxGraph {
  readonly #nodes: Uint8Array[] = [];
  readonly #weights: Uint8Array[] = [];
  readonly #inputs: Uint8Array[] = [];
  #count = 0;

  /** A float32 input of the model. */
  input(name: string, shape: readonly number[]): string {
    this.#inputs.push(valueInfo(name, shape));
    return name;
  }

  /** A float32 constant. */
  weight(values: Float32Array, shape: readonly number[]): string {
    return this.#constant(1, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), shape);
  }

  /** A float32 scalar. */
  scalar(value: number): string {
    return this.weight(Float32Array.of(value), []);
  }

  /** An int64 list, as shapes and axes are given. */
  integers(values: readonly number[]): string {
    return this.#constant(7, new Uint8Array(BigInt64Array.from(values, BigInt).buffer), [values.length]);
  }

  /** A node with one output. */
  node(operation: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.nodes(operation, inputs, 1, attributes)[0] ?? "";
  }

  /** A node with several outputs. */
  nodes(operation: string, inputs: readonly string[], outputCount: number, attributes: Attributes): string[] {
    const outputs = Array.from({ length: outputCount }, () => `v${this.#count++}`);
    const { floats = {}, integers = {}, texts = {} } = attributes;
    this.#nodes.push(
      message([
        ...inputs.map((name) => bytesField(1, utf8(name))),
        ...outputs.map((name) => bytesField(2, utf8(name))),
        bytesField(4, utf8(operation)),
        ...Object.entries(floats).map(([name, value]) => attribute(name, 1, floatField(2, value))),
        ...Object.entries(texts).map(([name, value]) => attribute(name, 3, bytesField(4, utf8(value)))),
        ...Object.entries(integers).map(([name, value]) =>
          typeof value === "number"
            ? attribute(name, 2, integerField(3, value))
            : attribute(name, 7, message(value.map((item) => integerField(8, item)))),
        ),
      ]),
    );
    return outputs;
  }

  /** The whole model, with one output. */
  model(output: string, shape: readonly number[]): Uint8Array {
    const graph = message([
      ...this.#nodes.map((node) => bytesField(1, node)),
      bytesField(2, utf8("row")),
      ...this.#weights.map((weight) => bytesField(5, weight)),
      ...this.#inputs.map((input) => bytesField(11, input)),
      bytesField(12, valueInfo(output, shape)),
    ]);
    return message([integerField(1, 9), bytesField(7, graph), bytesField(8, integerField(2, 20))]);
  }

  #constant(elementType: number, data: Uint8Array, shape: readonly number[]): string {
    const name = `w${this.#count++}`;
    this.#weights.push(
      message([
        ...shape.map((length) => integerField(1, length)),
        integerField(2, elementType),
        bytesField(8, utf8(name)),
        bytesField(9, data),
      ]),
    );
    return name;
  }
}

function attribute(name: string, type: number, value: Uint8Array): Uint8Array {
  return bytesField(5, message([bytesField(1, utf8(name)), value, integerField(20, type)]));
}

function valueInfo(name: string, shape: readonly number[]): Uint8Array {
  const lengths = message(shape.map((length) => bytesField(1, integerField(1, length))));
  const tensor = message([integerField(1, 1), bytesField(2, lengths)]);
  return message([bytesField(1, utf8(name)), bytesField(2, bytesField(1, tensor))]);
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function message(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Seven bits a byte, lowest first; negative numbers as 64-bit two's complement. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}

const integerField = (field: number, value: number): Uint8Array => message([varint(field * 8), varint(value)]);

const bytesField = (field: number, bytes: Uint8Array): Uint8Array =>
  message([varint(field * 8 + 2), varint(bytes.length), bytes]);

const floatField = (field: number, value: number): Uint8Array =>
  message([varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)]);
