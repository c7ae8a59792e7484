/** The head of the element: how the training stands, and the controls. */

import type { MonitorState, TrainingStatus } from "@mlx-ts/monitor";
import { effect } from "@preact/signals-core";
import type { ControlCommand } from "mlx-ts/train";
import { formatCount, formatFigure, writeRate } from "./format.ts";
import { make, makeButton, makeSvg, setText } from "./make.ts";
import type { Panel, PanelContext } from "./panel.ts";

const statusNames: { readonly [status in TrainingStatus]: string } = {
  waiting: "Waiting",
  running: "Training",
  paused: "Paused",
  finished: "Finished",
  aborted: "Stopped",
  nonFinite: "Stopped: not finite",
  failed: "Failed",
};

const icons = {
  pause: "M2 1h3v10H2zM7 1h3v10H7z",
  resume: "M2.5 1v10l8-5z",
  stop: "M1.5 1.5h9v9h-9z",
};

/** The head. */
export function makeHead({ monitor, controls }: PanelContext): Panel {
  const name = make("span");
  const place = make("span", { class: "place" });
  const bar = make("div");
  const progress = make(
    "div",
    { class: "progress", role: "progressbar", "aria-label": "Progress of the training" },
    bar,
  );
  const problem = make("p", { class: "error", role: "alert" });
  const news = make("p", { class: "hidden", role: "status" });
  const status = make("p", { class: "status" }, make("span", { class: "dot", "aria-hidden": "true" }), name, place);
  const element = make("header", { class: "head" }, status);
  const buttons = controls ? makeControls(monitor.status.peek(), (command) => controls.apply(command), problem) : null;
  if (buttons) element.append(buttons.element);
  element.append(progress, problem, news);

  let told: string | null = null;
  const endState = effect(() => {
    const state = monitor.state.value;
    element.dataset.status = state.status;
    setText(name, statusNames[state.status]);
    setText(place, placeOf(state));
    const trouble = state.error ?? nonFiniteText(state);
    if (trouble !== told) setText(problem, trouble ?? "");
    told = trouble;
    buttons?.show(state);
  });
  const endProgress = effect(() => {
    const share = monitor.progress.value;
    progress.hidden = share === null;
    bar.style.width = `${100 * (share ?? 0)}%`;
    progress.setAttribute("aria-valuenow", String(Math.round(100 * (share ?? 0))));
  });
  // Said aloud: what changes rarely, never every step.
  const endNews = effect(() => {
    const told = monitor.status.value;
    const epochs = monitor.state.value.epochLosses.at(-1);
    const summary = epochs ? `, ${formatCount(epochs.epoch)} epochs, loss ${formatFigure(epochs.loss)}` : "";
    setText(news, `${statusNames[told]}${summary}`);
  });
  return {
    element,
    dispose: () => {
      endState();
      endProgress();
      endNews();
    },
  };
}

/** Since when losses, or norms of gradients, are no numbers that a training can use; null while they are. */
function nonFiniteText({ nonFinite }: MonitorState): string | null {
  if (!nonFinite) return null;
  const { loss, gradientNorm, step } = nonFinite;
  const what = Number.isFinite(loss) ? `norm of the gradients is ${gradientNorm}` : `loss is ${loss}`;
  return `Since step ${formatCount(step)} the ${what}`;
}

function placeOf({ position: { step, epoch }, start }: MonitorState): string {
  if (!start) return "";
  const steps = `step ${formatCount(step)}${start.steps === undefined ? "" : ` of ${formatCount(start.steps)}`}`;
  if (start.epochs === undefined) return epoch > 0 ? `${steps} · epoch ${formatCount(epoch + 1)}` : steps;
  return `${steps} · epoch ${formatCount(Math.min(epoch + 1, start.epochs))} of ${formatCount(start.epochs)}`;
}

function makeControls(
  initial: TrainingStatus,
  apply: (command: ControlCommand) => void | Promise<void>,
  problem: HTMLElement,
): { readonly element: HTMLElement; show(state: MonitorState): void } {
  let status = initial;
  const send = async (command: ControlCommand): Promise<void> => {
    setText(problem, "");
    try {
      await apply(command);
    } catch (error) {
      setText(problem, error instanceof Error ? error.message : String(error));
    }
  };
  const pauseIcon = icon(icons.pause);
  const pauseLabel = make("span", {}, "Pause");
  const pause = makeButton(
    {},
    () => void send({ kind: status === "paused" ? "resume" : "pause" }),
    pauseIcon,
    pauseLabel,
  );
  const stop = makeButton({ class: "danger" }, () => void send({ kind: "stop" }), icon(icons.stop), "Stop");
  const rate = make("input", {
    type: "text",
    inputmode: "decimal",
    pattern: "\\s*\\d*\\.?\\d+([eE][+\\-]?\\d+)?\\s*",
    "aria-label": "Learning rate",
    title: "A number such as 0.001 or 1e-3",
    autocomplete: "off",
    required: true,
  });
  const form = make(
    "form",
    { class: "rate", autocomplete: "off" },
    make("span", { "aria-hidden": "true" }, "Learning rate"),
    rate,
  );
  const set = make("button", { type: "submit" }, "Set");
  form.append(set);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send({ kind: "learningRate", learningRate: Number(rate.value) });
    rate.blur();
  });
  return {
    element: make("div", { class: "controls", role: "group", "aria-label": "Control the training" }, form, pause, stop),
    show(state) {
      ({ status } = state);
      const isOver = status !== "running" && status !== "paused";
      for (const control of [pause, stop, set, rate]) control.disabled = isOver;
      const isPaused = status === "paused";
      setText(pauseLabel, isPaused ? "Resume" : "Pause");
      pauseIcon.querySelector("path")?.setAttribute("d", isPaused ? icons.resume : icons.pause);
      // What somebody is typing stays.
      const isTyping = rate.matches(":focus");
      if (!isTyping && state.step) rate.value = writeRate(state.step.learningRate);
    },
  };
}

function icon(path: string): SVGSVGElement {
  return makeSvg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, makeSvg("path", { d: path }));
}
