/** Reads event files of TensorBoard, written apart from the code that writes them: framing, checksums, protocol buffers. */

/** A field of a message: its number, and what it holds. */
export interface Field {
  readonly field: number;
  readonly value: number | Uint8Array;
}

/** A record of an event file. */
export interface BoardEvent {
  readonly seconds: number;
  readonly step: number;
  readonly version: string | null;
  /** The fields of every summary value. */
  readonly values: readonly (readonly Field[])[];
}

/** The records of a file. @throws {Error} if a checksum is not right */
export function readBoard(bytes: Uint8Array): BoardEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: BoardEvent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const content = bytes.subarray(at + 12, at + 12 + length);
    for (const [part, place] of [
      [bytes.subarray(at, at + 8), at + 8],
      [content, at + 12 + length],
    ] as const) {
      if (view.getUint32(place, true) !== masked(part)) throw new Error(`the checksum at ${place} is wrong`);
    }
    events.push(readEvent(content));
    at += length + 16;
  }
  return events;
}

/** The text in a field. */
export function textIn(fields: readonly Field[], field: number): string {
  const value = fields.find((each) => each.field === field)?.value;
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : "";
}

/** The fields of the message in a field. */
export function messageIn(fields: readonly Field[], field: number): Field[] {
  const value = fields.find((each) => each.field === field)?.value;
  return value instanceof Uint8Array ? readFields(value) : [];
}

/** The doubles packed in a field. */
export function doublesIn(fields: readonly Field[], field: number): number[] {
  const value = fields.find((each) => each.field === field)?.value;
  if (!(value instanceof Uint8Array)) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Array.from({ length: value.length / 8 }, (_, k) => view.getFloat64(8 * k, true));
}

/** The number in a field. */
export function numberIn(fields: readonly Field[], field: number): number {
  const value = fields.find((each) => each.field === field)?.value;
  return typeof value === "number" ? value : Number.NaN;
}

function readEvent(content: Uint8Array): BoardEvent {
  const fields = readFields(content);
  return {
    seconds: numberIn(fields, 1),
    step: numberIn(fields, 2),
    version: textIn(fields, 3) || null,
    values: messageIn(fields, 5).map(({ value }) => (value instanceof Uint8Array ? readFields(value) : [])),
  };
}

function readFields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    switch (key % 8) {
      case 0:
        fields.push({ field, value: varint() });
        break;
      case 1:
        fields.push({ field, value: view.getFloat64(at, true) });
        at += 8;
        break;
      case 2: {
        const length = varint();
        fields.push({ field, value: bytes.subarray(at, at + length) });
        at += length;
        break;
      }
      case 5:
        fields.push({ field, value: view.getFloat32(at, true) });
        at += 4;
        break;
      default:
        throw new Error(`wire type ${key % 8}`);
    }
  }
  return fields;
}

/** CRC-32C bit by bit, and TensorFlow's mask. */
function masked(bytes: Uint8Array): number {
  let check = ~0;
  for (const byte of bytes) {
    check ^= byte;
    for (let bit = 0; bit < 8; bit++) check = (check >>> 1) ^ (check & 1 ? 0x82f63b78 : 0);
  }
  check = ~check;
  return (((check >>> 15) | (check << 17)) + 0xa282ead8) >>> 0;
}
