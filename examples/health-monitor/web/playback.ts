/** The clock of the trace: where in a recording the page is, and how fast it goes on. */

/** Readings that a live trace may be behind, so that it moves evenly though readings come in steps. */
const liveDelay = 2;

/** A place that moves through readings with time. */
export class Playback {
  /** Readings that have passed, with a fraction. */
  position = 0;
  isPlaying = true;
  /** How many times as fast as it was recorded. */
  speed = 1;
  /** Readings there are; the place stops at the end of them. */
  length = 0;
  /** Whether more readings come: then the end is where to wait for them. */
  isLive = false;
  secondsPerReading = 1;

  /** Goes on by the time that has passed. Returns whether the end is reached. */
  advance(milliseconds: number): boolean {
    if (!this.isPlaying) return false;
    // A page that was hidden goes on where it was.
    const elapsed = Math.min(milliseconds, 250) / 1000;
    this.position = Math.min(this.length, this.position + (elapsed * this.speed) / this.secondsPerReading);
    if (this.isLive) this.position = Math.max(this.position, this.length - liveDelay);
    return this.position === this.length && !this.isLive;
  }

  /** Goes to a reading. */
  seek(position: number): void {
    this.position = Math.max(0, Math.min(this.length, position));
  }
}

/** A time within a recording, as 4:07.5 or 1:02:03. */
export function formatClock(seconds: number, digits = 0): string {
  // Rounded first: 59.96 s are a minute.
  const whole = Math.max(0, Number(seconds.toFixed(digits)));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits > 0 ? 3 + digits : 2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
