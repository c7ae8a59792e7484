/** The moving trace with its figures, its place in the recording, and its controls. */
import { effect, untracked } from "@preact/signals-core";
import { choice, element, make } from "../elements.ts";
import { formatReading, formatSteps } from "../figures.ts";
import { paces } from "../paces.ts";
import { formatClock } from "../playback.ts";
import type { Session } from "../session.ts";
import type { State } from "../state.ts";
import { Overview } from "../trace/overview.ts";
import { TraceView } from "../trace/trace-view.ts";

const millisecondsBetweenFigures = 120;

/** Draws the trace with every picture of the screen, from now on. */
export function showMonitor(state: State, session: Session): { refreshPalette(): void } {
  const overviewCanvas = element("overview", HTMLCanvasElement);
  let isOverviewStale = true;
  const trace = new TraceView(element("trace", HTMLCanvasElement), () => {});
  const overview = new Overview(overviewCanvas, () => {
    isOverviewStale = true;
  });
  const figures = followFigures(state, session);
  followTransport(state, session);
  effect(() => {
    trace.setContent(session.shown.value?.trace ?? null);
    isOverviewStale = true;
  });
  effect(() => {
    state.alarms.value;
    state.readings.value;
    isOverviewStale = true;
  });
  let before = performance.now();
  const draw = (now: number): void => {
    session.advance(now - before);
    before = now;
    trace.draw(session.playback.position, state.windowSeconds.value);
    const shown = session.shown.value;
    if (isOverviewStale && shown) {
      overview.draw(shown.overview);
      isOverviewStale = false;
    }
    figures(now);
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  return {
    refreshPalette() {
      trace.refreshPalette();
      overview.refreshPalette();
      isOverviewStale = true;
    },
  };
}

/** Title, readings in large figures, the verdict and the clock; the result brings them up to date. */
function followFigures(state: State, session: Session): (now: number) => void {
  const title = element("source-title", HTMLHeadingElement);
  const remark = element("source-remark", HTMLParagraphElement);
  const readout = element("readout", HTMLDListElement);
  const verdict = element("verdict", HTMLParagraphElement);
  const clock = element("clock", HTMLOutputElement);
  const viewport = element("viewport", HTMLDivElement);
  const seek = element("seek", HTMLInputElement);
  let values: readonly Text[] = [];
  let scaled: readonly HTMLElement[] = [];
  effect(() => {
    const source = state.source.value;
    if (!source) return;
    title.textContent = source.title;
    remark.textContent = source.remark;
    values = source.channels.map(() => document.createTextNode("–"));
    scaled = source.channels.map(() => Object.assign(make("dd"), { className: "scaled" }));
    readout.replaceChildren(
      ...source.channels.map(({ name, unit }, c) => {
        const value = make("dd", values[c] ?? "", make("small", ` ${unit}`));
        const term = make("dt", name);
        term.style.setProperty("--key", `var(--series-${(c % 4) + 1})`);
        return make("div", term, value, scaled[c] ?? "");
      }),
    );
  });
  let shownAt = 0;
  return (now) => {
    const { playback } = session;
    const shown = session.shown.value;
    if (!shown || now - shownAt < millisecondsBetweenFigures) return;
    shownAt = now;
    const { pyramids, channels, alarms, secondsPerReading } = shown.trace;
    const reading = Math.floor(playback.position) - 1;
    const units = state.model.value?.units ?? [];
    for (const [c, text] of values.entries()) {
      const value = pyramids[c]?.at(reading) ?? Number.NaN;
      text.data = Number.isFinite(value) ? formatReading(value, channels[c]?.digits ?? 0) : "–";
      const steps = (value - (pyramids[c]?.at(reading - 1) ?? Number.NaN)) / (units[c] ?? Number.NaN);
      const line = scaled[c];
      if (line) line.textContent = Number.isFinite(steps) ? `${formatSteps(steps)} usual steps` : "";
    }
    const alarm = alarms.alarms.findLast(
      ({ start, end }) => start <= reading && reading < end + 0.6 / secondsPerReading,
    );
    const isJudged = state.model.value !== null || alarms.alarms.length > 0;
    verdict.dataset.state = alarm ? "alarm" : isJudged ? "usual" : "idle";
    verdict.textContent = alarm ? `Alarm, level ${alarm.level.toFixed(1)}` : isJudged ? "As usual" : "Not learned yet";
    const [at, end] = [playback.position * secondsPerReading, playback.length * secondsPerReading];
    clock.value = `${formatClock(at)} / ${formatClock(end)}`;
    const windowShare = Math.min(1, state.windowSeconds.value / end, at / end);
    viewport.style.width = `max(2px, ${100 * windowShare}%)`;
    viewport.style.left = `${100 * (at / end - windowShare)}%`;
    seek.max = String(end);
    seek.value = String(at);
    seek.ariaValueText = `${formatClock(at)} of ${formatClock(end)}`;
  };
}

function followTransport(state: State, session: Session): void {
  const play = element("play", HTMLButtonElement);
  const speed = element("speed", HTMLSelectElement);
  const window = element("window", HTMLSelectElement);
  const seek = element("seek", HTMLInputElement);
  const track = element("track", HTMLSelectElement);
  const trackField = element("track-field", HTMLLabelElement);
  const labelKey = element("label-key", HTMLSpanElement);
  play.addEventListener("click", () => session.setPlaying(!state.isPlaying.value));
  speed.addEventListener("change", () => {
    state.speed.value = Number(speed.value);
  });
  window.addEventListener("change", () => {
    state.windowSeconds.value = Number(window.value);
  });
  seek.addEventListener("input", () => session.playback.seek(Number(seek.value) / session.playback.secondsPerReading));
  seek.addEventListener("change", () => session.keepSettings());
  track.addEventListener("change", () => session.showTrack(Number(track.value)));
  addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target !== document.body) return;
    event.preventDefault();
    session.setPlaying(!state.isPlaying.value);
  });
  effect(() => {
    play.dataset.playing = String(state.isPlaying.value);
    play.ariaLabel = state.isPlaying.value ? "Pause" : "Play";
  });
  effect(() => {
    const source = state.source.value;
    if (!source) return;
    const { speeds, windows } = paces[source.kind];
    speed.replaceChildren(...speeds.map((value) => choice(String(value), `${value}×`)));
    window.replaceChildren(...windows.map((value) => choice(String(value), formatDuration(value))));
    speed.value = String(untracked(() => state.speed.value));
    window.value = String(untracked(() => state.windowSeconds.value));
    seek.step = String(untracked(() => state.windowSeconds.value) / 10);
    trackField.hidden = source.tracks.length < 2;
    track.replaceChildren(...source.tracks.map(({ name }, index) => choice(String(index), name)));
    track.value = String(state.track.value);
    labelKey.hidden = !source.tracks.some(({ isLabelled }) => isLabelled);
  });
}

function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}
