/** When a monitor shows what it was told: once per frame of the screen, or per turn of the timers where there is none. */

/** Runs `flush` later; asked again only once that has happened. */
export type Schedule = (flush: () => void) => void;

/** About a frame. */
const frameMilliseconds = 16;

/**
 * Before the next frame is drawn; where nothing is drawn (Node, most workers, a hidden page), after a frame's time.
 *
 * @example
 * import { onNextFrame } from "@mlx-ts/monitor";
 * await new Promise<string>((resolve) => onNextFrame(() => resolve("drawn"))); // "drawn"
 */
export function onNextFrame(flush: () => void): void {
  const isDrawn = typeof document !== "undefined" && document.visibilityState === "visible";
  if (isDrawn) requestAnimationFrame(flush);
  else setTimeout(flush, frameMilliseconds);
}
