/** A heart-rate strap as a source: the same plain data on the page and with the analyst. */
import { GrowingTrack } from "./growing-track.ts";
import type { Source } from "./source.ts";

/** A source that has no readings yet, and the track that they are appended to. */
export function strapSource(name: string): { readonly source: Source; readonly track: GrowingTrack } {
  const channels = [
    { name: "Heart rate", unit: "/min", digits: 0 },
    { name: "Beat interval", unit: "ms", digits: 0 },
  ];
  const track = new GrowingTrack(name, channels.length);
  const source: Source = {
    key: "strap",
    title: name,
    kind: "strap",
    remark: "Your heart, about one reading a second.",
    secondsPerReading: 1,
    channels,
    tracks: [track],
  };
  return { source, track };
}
