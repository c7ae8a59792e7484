/** Learning: its controls, how far it is, what has been learned, and what is kept. */

import { defineTrainingMonitor, type TrainingMonitorElement } from "@mlx-ts/studio";
import { effect, untracked } from "@preact/signals-core";
import type { LearnedModel } from "../analysis/library.ts";
import { element, make, saveFile } from "../elements.ts";
import type { Learning } from "../learning.ts";
import { paces } from "../paces.ts";
import type { Session } from "../session.ts";
import { type ChannelInfo, fewestToLearn, type SourceKind } from "../sources/source.ts";
import type { State } from "../state.ts";

const forecast = "A network learns to forecast the next reading";

/** How each kind of source is learned. */
const remarks: Readonly<Record<SourceKind, string>> = {
  heart: "An autoencoder learns the usual beats of the first half. A beat that it cannot draw again raises an alarm.",
  network: `${forecast} from the first half of all sensors. Readings that come otherwise raise an alarm.`,
  table: `${forecast} from the first half. Readings that come otherwise raise an alarm.`,
  strap: `${forecast} from all there are now. Readings that come otherwise raise an alarm.`,
};

/** Models of the past that are listed. */
const listedModels = 8;

/** Lets the user have the page learn. */
export function showLearning(state: State, learning: Learning, session: Session): void {
  followControls(state, learning);
  followDevice(state, learning);
  followTraining(state, learning);
  followHistory(state, session);
  const facts = element("facts", HTMLDListElement);
  const weights = element("save-weights", HTMLButtonElement);
  const remark = element("learn-remark", HTMLParagraphElement);
  weights.addEventListener("click", async () => {
    const bytes = await learning.weights();
    const { title = "model" } = state.source.value ?? {};
    if (bytes) saveFile(`${title.replace(/\W+/g, "-")}.safetensors`, bytes, "application/octet-stream");
  });
  const report = element("save-report", HTMLButtonElement);
  report.addEventListener("click", async () => {
    const [source, model] = [state.source.value, state.model.value];
    if (!source || !model) return;
    // All of the recording, not only what has been played.
    await session.judging.judgeAll();
    const { reportOf } = await import("../report/report.ts");
    const page = reportOf({ source, model, tracks: session.judging.tracks, madeAt: new Date() });
    saveFile(`${source.title.replace(/\W+/g, "-")}-report.html`, page, "text/html");
  });
  effect(() => {
    const model = state.model.value;
    weights.disabled = model === null;
    report.disabled = model === null;
    facts.replaceChildren(...(model ? factsOf(model, untracked(() => state.source.value)?.channels ?? []) : []));
  });
  effect(() => {
    const kind = state.source.value?.kind;
    if (kind === "strap" && state.readings.value < fewestToLearn) {
      remark.textContent = `Two minutes of readings are needed first: ${state.readings.value} of ${fewestToLearn}.`;
    } else if (kind) remark.textContent = remarks[kind];
  });
}

function followControls(state: State, learning: Learning): void {
  const learn = element("learn", HTMLButtonElement);
  const goOn = element("go-on", HTMLButtonElement);
  const passes = element("passes", HTMLInputElement);
  learn.addEventListener("click", () => {
    if (passes.reportValidity()) void learning.learn(passes.valueAsNumber);
  });
  goOn.addEventListener("click", () => {
    if (state.unfinished.value) void learning.learn(state.unfinished.value.epochs, true);
  });
  effect(() => {
    const isLearning = state.isLearning.value;
    const unfinished = state.unfinished.value;
    learn.hidden = isLearning;
    learn.disabled = state.readings.value < fewestToLearn;
    learn.textContent = state.model.value ? "Learn anew" : "Learn";
    goOn.hidden = isLearning || unfinished === null;
    goOn.textContent = unfinished ? `Go on after pass ${unfinished.epoch} of ${unfinished.epochs}` : "";
    passes.disabled = isLearning;
  });
  effect(() => {
    const source = state.source.value;
    if (source) passes.value = String(paces[source.kind].epochs);
  });
}

function followDevice(state: State, learning: Learning): void {
  const remark = element("device-remark", HTMLParagraphElement);
  const inputs = [...document.querySelectorAll<HTMLInputElement>("input[name=device]")];
  for (const input of inputs) {
    input.addEventListener("change", () => void learning.setDevice(input.value === "gpu" ? "gpu" : "cpu"));
  }
  effect(() => {
    for (const input of inputs) {
      input.checked = input.value === state.device.value;
      input.disabled = state.isLearning.value;
    }
    remark.textContent = state.deviceRemark.value;
    remark.hidden = state.deviceRemark.value === "";
  });
}

/** The dashboard beside the controls, and what is inside the training for those who want to know. */
function followTraining(state: State, learning: Learning): void {
  defineTrainingMonitor();
  const dashboard = element("dashboard", HTMLElement);
  const inside = element("inside", HTMLDetailsElement);
  const insideMonitor = element("inside-monitor", HTMLElement);
  if (!isTrainingMonitor(dashboard) || !isTrainingMonitor(insideMonitor)) throw new Error("the page has no dashboard");
  dashboard.controls = learning;
  // Parts that nobody sees follow nothing.
  const showInside = (): void => {
    insideMonitor.monitor = inside.open ? state.monitor.value : null;
  };
  inside.addEventListener("toggle", showInside);
  effect(() => {
    const monitor = state.monitor.value;
    const isUnknown = monitor.status.value === "waiting" && !state.isLearning.value;
    dashboard.hidden = isUnknown;
    inside.hidden = isUnknown;
  });
  effect(() => {
    dashboard.monitor = state.monitor.value;
    untracked(showInside);
  });
}

function isTrainingMonitor(found: HTMLElement): found is TrainingMonitorElement {
  return "monitor" in found && "controls" in found;
}

function followHistory(state: State, session: Session): void {
  const list = element("history", HTMLOListElement);
  const section = element("history-section", HTMLDetailsElement);
  const keeping = element("keeping", HTMLParagraphElement);
  const forget = element("forget", HTMLButtonElement);
  forget.addEventListener("click", () => void session.forget());
  effect(() => {
    const models = state.history.value;
    section.hidden = models.length === 0;
    list.replaceChildren(
      ...models
        .slice(0, listedModels)
        .map((model) =>
          make(
            "li",
            make("span", `${model.sourceTitle}, ${model.epochs} passes, loss ${model.loss.toPrecision(3)}`),
            make("time", formatTime(model.learnedAt)),
          ),
        ),
    );
  });
  effect(() => {
    const texts = {
      kept: "Models, history and your last table are kept in this browser.",
      "other tab": "Another tab keeps what it learns; this one forgets when it is closed.",
      unavailable: "This browser has no private file system: what is learned is forgotten when the page is closed.",
    };
    keeping.textContent = texts[state.keeping.value];
    forget.hidden = state.keeping.value !== "kept";
  });
}

function factsOf(model: LearnedModel, channels: readonly ChannelInfo[]): readonly HTMLElement[] {
  const rows: readonly (readonly [string, string])[] = [
    ["Model", `${model.name}, ${model.parameterCount.toLocaleString("en")} parameters`],
    ["Learned from", `${model.sampleCount.toLocaleString("en")} samples, ${model.epochs} passes`],
    ["Loss", model.loss.toPrecision(3)],
    ...model.units.map((unit, c): readonly [string, string] => {
      const { name = "", unit: of = "" } = channels[c] ?? {};
      return [`Usual step, ${name.toLowerCase()}`, `${unit.toPrecision(2)} ${of}`];
    }),
    ["Took", `${model.seconds.toFixed(1)} s on the ${model.device.toUpperCase()}`],
    ["Learned", formatTime(model.learnedAt)],
  ];
  return rows.map(([term, value]) => make("div", make("dt", term), make("dd", value)));
}

function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
