/**
 * Event files of TensorBoard: records with checksums, each a protocol buffer. Only what a training writes is encoded.
 *
 * Sources: TensorFlow's `record_writer.h` (framing, masked CRC-32C), `event.proto`, `summary.proto`, `histogram.proto`; the
 * wire format in "Protocol Buffers: Encoding".
 */
import type { RunEvent, SampleValue } from "./events.ts";
import type { Histogram } from "./histograms.ts";

/** The bytes of growing length that messages are written to. */
class MessageWriter {
  #bytes: Uint8Array = new Uint8Array(256);
  #length = 0;

  /** What has been written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  varint(field: number, value: number): this {
    this.#key(field, 0);
    this.#varint(value);
    return this;
  }

  double(field: number, value: number): this {
    this.#key(field, 1);
    this.#view(8).setFloat64(0, value, true);
    return this;
  }

  float(field: number, value: number): this {
    this.#key(field, 5);
    this.#view(4).setFloat32(0, value, true);
    return this;
  }

  text(field: number, text: string): this {
    return this.message(field, new TextEncoder().encode(text));
  }

  /** Doubles one behind the other, as repeated numbers are packed. */
  doubles(field: number, values: readonly number[]): this {
    const packed = new DataView(new ArrayBuffer(8 * values.length));
    for (const [k, value] of values.entries()) packed.setFloat64(8 * k, value, true);
    return this.message(field, new Uint8Array(packed.buffer));
  }

  message(field: number, content: MessageWriter | Uint8Array): this {
    const bytes = content instanceof MessageWriter ? content.bytes : content;
    this.#key(field, 2);
    this.#varint(bytes.length);
    const start = this.#room(bytes.length);
    this.#bytes.set(bytes, start);
    return this;
  }

  #key(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  /** Seven bits a byte, the low ones first; the numbers here are at least 0 and below 2⁵³. */
  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#byte((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  #byte(value: number): void {
    const start = this.#room(1); // before the bytes are looked up: making room may replace them
    this.#bytes[start] = value;
  }

  #view(length: number): DataView {
    const start = this.#room(length);
    return new DataView(this.#bytes.buffer, start, length);
  }

  /** Where the next `length` bytes go. */
  #room(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return start;
  }
}

/** The record that an event file begins with. */
export function fileHeader(seconds: number): Uint8Array {
  return frame(new MessageWriter().double(1, seconds).text(3, "brain.Event:2").bytes);
}

/** The record of what TensorBoard shows of an event, or null for what it does not show. */
export function recordOf(event: RunEvent, seconds: number): Uint8Array | null {
  const values = summaryOf(event);
  if (values.length === 0) return null;
  const summary = new MessageWriter();
  for (const value of values) summary.message(1, value);
  return frame(new MessageWriter().double(1, seconds).varint(2, event.step).message(5, summary).bytes);
}

function summaryOf(event: RunEvent): readonly MessageWriter[] {
  switch (event.kind) {
    case "step": {
      const { loss, learningRate, gradientNorm, samplesPerSecond, memory, metrics } = event;
      return [
        scalar("loss", loss),
        ...Object.entries(metrics).map(([name, value]) => scalar(`metrics/${name}`, value)),
        scalar("learningRate", learningRate),
        ...(gradientNorm === undefined ? [] : [scalar("gradientNorm", gradientNorm)]),
        scalar("performance/samplesPerSecond", samplesPerSecond),
        scalar("performance/memory", memory.active),
      ];
    }
    case "epoch":
      return [scalar("epoch/loss", event.loss)];
    case "histograms":
      return [
        ...Object.entries(event.parameters).map(([path, histogram]) => distribution(`parameters/${path}`, histogram)),
        ...Object.entries(event.gradients).map(([path, histogram]) => distribution(`gradients/${path}`, histogram)),
      ];
    case "samples":
      return event.samples.map(({ input, prediction, target }, k) =>
        text(
          `samples/${k}`,
          Object.entries({ input, prediction, target })
            .flatMap(([name, value]) => (value === undefined ? [] : `**${name}** ${written(value)}`))
            .join("\n\n"),
        ),
      );
    default:
      return [];
  }
}

function scalar(tag: string, value: number): MessageWriter {
  return new MessageWriter().text(1, tag).float(2, value);
}

function distribution(tag: string, { minimum, maximum, counts, mean, deviation }: Histogram): MessageWriter {
  const count = counts.reduce((sum, each) => sum + each, 0);
  const width = (maximum - minimum) / counts.length;
  const limits = counts.map((_, k) => (k === counts.length - 1 ? maximum : minimum + (k + 1) * width));
  const content = new MessageWriter()
    .double(1, minimum)
    .double(2, maximum)
    .double(3, count)
    .double(4, mean * count)
    .double(5, (deviation ** 2 + mean ** 2) * count)
    .doubles(6, limits)
    .doubles(7, counts);
  return new MessageWriter().text(1, tag).message(5, content);
}

/** A tensor of one text, and the plugin that shows it. */
function text(tag: string, content: string): MessageWriter {
  const stringType = 7;
  const tensor = new MessageWriter().varint(1, stringType).message(2, new Uint8Array(0)).text(8, content);
  const metadata = new MessageWriter().message(1, new MessageWriter().text(1, "text"));
  return new MessageWriter().text(1, tag).message(8, tensor).message(9, metadata);
}

function written(value: SampleValue): string {
  return typeof value === "object" ? value.map((each) => each.toPrecision(4)).join(" ") : String(value);
}

/** The content with its length before it, and checksums of both. */
function frame(content: Uint8Array): Uint8Array {
  const framed = new Uint8Array(content.length + 16);
  const view = new DataView(framed.buffer);
  view.setUint32(0, content.length, true);
  view.setUint32(8, maskedChecksum(framed.subarray(0, 8)), true);
  framed.set(content, 12);
  view.setUint32(12 + content.length, maskedChecksum(content), true);
  return framed;
}

/** CRC-32C, turned and shifted, so that checksums of data with checksums in them stay strong. */
export function maskedChecksum(bytes: Uint8Array): number {
  let check = 0xffffffff;
  for (const byte of bytes) check = (check >>> 8) ^ (checksumTable[(check ^ byte) & 0xff] ?? 0);
  check = ~check >>> 0;
  return (((check >>> 15) | (check << 17)) + 0xa282ead8) >>> 0;
}

/** Castagnoli's polynomial, its bits reversed. */
const checksumTable: Uint32Array = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, byte) => {
  let check = byte;
  for (let bit = 0; bit < 8; bit++) check = check & 1 ? (check >>> 1) ^ 0x82f63b78 : check >>> 1;
  return check >>> 0;
});
