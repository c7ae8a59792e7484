/** Numbers as people read them. */

const none = "–";

/** A count with thousands separated. */
export function formatCount(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : none;
}

/** A figure with about four significant digits: a loss, a rate. */
export function formatFigure(value: number): string {
  if (Number.isNaN(value)) return none;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return withMinus(value.toExponential(2));
  if (size >= 1000) return withMinus(Math.round(value).toLocaleString("en"));
  return withMinus(value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4));
}

/** A figure beside an axis: as short as it can be. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e9) return withMinus(`${trimmed(value / 1e9)} G`);
  if (size >= 1e6) return withMinus(`${trimmed(value / 1e6)} M`);
  if (size >= 1e4) return withMinus(`${trimmed(value / 1e3)} k`);
  if (size < 1e-3) return withMinus(value.toExponential(0));
  return withMinus(String(Number(value.toPrecision(6))));
}

/** A learning rate, with no more digits than it needs. */
export function formatRate(rate: number): string {
  return Number.isFinite(rate) ? withMinus(writeRate(rate)) : none;
}

/** A learning rate as it can be read again. */
export function writeRate(rate: number): string {
  const rounded = Number(rate.toPrecision(4));
  return rounded !== 0 && Math.abs(rounded) < 1e-4 ? rounded.toExponential() : String(rounded);
}

/** Bytes in the largest unit that leaves a figure above one. */
export function formatBytes(value: number): string {
  if (!Number.isFinite(value)) return none;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(size >= 100 ? 0 : 1)} ${units[unit] ?? ""}`;
}

/** A span of time. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return none;
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0)} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${(milliseconds / 1000).toFixed(1)} s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

/** A share of one, in percent. */
export function formatShare(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : none;
}

/** `metrics.valAccuracy` as people write it: `Val accuracy`. */
export function titleOf(name: string): string {
  const words = name
    .replace(/^metrics\./, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[_.-]+/g, " ")
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A minus sign as wide as a figure, in place of a hyphen. */
function withMinus(text: string): string {
  return text.replaceAll("-", "−");
}
