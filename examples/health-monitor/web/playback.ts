/** The clock of the trace: where in a recording the page is, and how fast it goes on. */

/** A place that moves through readings with time. */
export class Playback {
  /** Readings that have passed, with a fraction. */
  position = 0;
  isPlaying = true;
  /** How many times as fast as it was recorded. */
  speed = 1;
  /** Readings there are; the place stops at the end of them. */
  length = 0;
  secondsPerReading = 1;

  /** Goes on by the time that has passed. Returns whether the end is reached. */
  advance(milliseconds: number): boolean {
    if (!this.isPlaying) return false;
    // A page that was hidden goes on where it was.
    const elapsed = Math.min(milliseconds, 250) / 1000;
    this.position = Math.min(this.length, this.position + (elapsed * this.speed) / this.secondsPerReading);
    return this.position === this.length;
  }

  /** Goes to a reading. */
  seek(position: number): void {
    this.position = Math.max(0, Math.min(this.length, position));
  }
}

/** A time within a recording, as 4:07.5 or 1:02:03. */
export function formatClock(seconds: number, digits = 0): string {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits > 0 ? 3 + digits : 2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
