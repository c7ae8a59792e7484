/** A heart-rate strap over Web Bluetooth, where the browser has it. */
import { UserError } from "../../../common/command.ts";

/** One notification of a strap, about one a second. */
export interface StrapReading {
  /** Beats a minute. */
  readonly rate: number;
  /** The mean time between the beats since the last notification, in milliseconds. */
  readonly interval: number;
}

/** A strap that measures. */
export interface Strap {
  readonly name: string;
  disconnect(): void;
}

/** What the page needs of Web Bluetooth; TypeScript's own types do not know it. */
interface Bluetooth {
  requestDevice(options: { readonly filters: readonly { readonly services: readonly string[] }[] }): Promise<Device>;
}

interface Device extends EventTarget {
  readonly name?: string;
  readonly gatt?: { connect(): Promise<Server>; disconnect(): void };
}

interface Server {
  getPrimaryService(name: string): Promise<{ getCharacteristic(name: string): Promise<Characteristic> }>;
}

interface Characteristic extends EventTarget {
  readonly value?: DataView;
  startNotifications(): Promise<unknown>;
}

/**
 * Lets the user choose a strap and listens to it.
 *
 * @throws {UserError} if the browser has no Web Bluetooth; {DOMException} named NotFoundError if the user chooses none
 */
export async function connectStrap(onReading: (reading: StrapReading) => void, onGone: () => void): Promise<Strap> {
  if (!hasBluetooth(navigator)) {
    throw new UserError("This browser has no Web Bluetooth: Chrome and Edge have it, on computers and on Android.");
  }
  const device = await navigator.bluetooth.requestDevice({ filters: [{ services: ["heart_rate"] }] });
  const server = await device.gatt?.connect();
  const service = await server?.getPrimaryService("heart_rate");
  const characteristic = await service?.getCharacteristic("heart_rate_measurement");
  if (!characteristic) throw new UserError("The strap does not answer: put it on, and try again.");
  characteristic.addEventListener("characteristicvaluechanged", () => {
    if (characteristic.value) onReading(parseMeasurement(characteristic.value));
  });
  device.addEventListener("gattserverdisconnected", onGone, { once: true });
  await characteristic.startNotifications();
  return {
    name: device.name ?? "Heart-rate strap",
    disconnect() {
      device.removeEventListener("gattserverdisconnected", onGone);
      device.gatt?.disconnect();
    },
  };
}

/**
 * The value of the characteristic Heart Rate Measurement, 0x2A37. Source: Bluetooth SIG, Heart Rate Service 1.0, 3.1: flags,
 * the rate in one byte or two, the energy expended if there, then intervals between beats in 1/1024 s.
 */
export function parseMeasurement(value: DataView): StrapReading {
  const flags = value.getUint8(0);
  const isWide = (flags & 1) !== 0;
  const hasEnergy = (flags & 8) !== 0;
  const hasIntervals = (flags & 16) !== 0;
  const rate = isWide ? value.getUint16(1, true) : value.getUint8(1);
  const intervals: number[] = [];
  const first = 1 + (isWide ? 2 : 1) + (hasEnergy ? 2 : 0);
  for (let at = first; hasIntervals && at + 1 < value.byteLength; at += 2) intervals.push(value.getUint16(at, true));
  // A strap that tells no intervals tells them by its rate.
  const mean = intervals.reduce((sum, each) => sum + each, 0) / intervals.length;
  return { rate, interval: intervals.length > 0 ? (1000 * mean) / 1024 : 60_000 / Math.max(rate, 1) };
}

function hasBluetooth(browser: Navigator): browser is Navigator & { readonly bluetooth: Bluetooth } {
  return "bluetooth" in browser && browser.bluetooth !== undefined;
}
