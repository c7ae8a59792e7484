/** Learning: its controls, how far it is, and what has been learned. */
import { effect } from "@preact/signals-core";
import { element, make, saveFile } from "../elements.ts";
import { paces, type Session } from "../session.ts";
import type { LearnedModel, State } from "../state.ts";

/** Lets the user have the page learn. */
export function showLearning(state: State, session: Session): void {
  followControls(state, session);
  followDevice(state, session);
  followProgress(state);
  const facts = element("facts", HTMLDListElement);
  const weights = element("save-weights", HTMLButtonElement);
  const remark = element("learn-remark", HTMLParagraphElement);
  weights.addEventListener("click", async () => {
    const bytes = await session.weights();
    if (bytes) saveFile(`${state.source.value?.key ?? "model"}.safetensors`, bytes, "application/octet-stream");
  });
  effect(() => {
    const model = state.model.value;
    weights.disabled = model === null;
    facts.replaceChildren(...(model ? factsOf(model) : []));
  });
  effect(() => {
    remark.textContent =
      state.source.value?.kind === "heart"
        ? "An autoencoder learns the usual beats of the first half. A beat that it cannot draw again raises an alarm."
        : "A network learns to forecast the next reading from the first half. Readings that come otherwise raise an alarm.";
  });
}

function followControls(state: State, session: Session): void {
  const learn = element("learn", HTMLButtonElement);
  const hold = element("hold", HTMLButtonElement);
  const stop = element("stop", HTMLButtonElement);
  const passes = element("passes", HTMLInputElement);
  learn.addEventListener("click", () => {
    if (passes.reportValidity()) void session.learn(passes.valueAsNumber);
  });
  hold.addEventListener("click", () => void session.hold(state.learning.value.status === "running"));
  stop.addEventListener("click", () => void session.stop());
  effect(() => {
    const { status } = state.learning.value;
    const isIdle = status === "idle";
    learn.hidden = !isIdle;
    learn.disabled = state.source.value === null;
    learn.textContent = state.model.value ? "Learn anew" : "Learn";
    hold.hidden = isIdle;
    stop.hidden = isIdle;
    hold.textContent = status === "paused" ? "Go on" : "Pause";
    passes.disabled = !isIdle;
  });
  effect(() => {
    const source = state.source.value;
    if (source) passes.value = String(paces[source.kind].epochs);
  });
}

function followDevice(state: State, session: Session): void {
  const remark = element("device-remark", HTMLParagraphElement);
  const inputs = [...document.querySelectorAll<HTMLInputElement>("input[name=device]")];
  for (const input of inputs) {
    input.addEventListener("change", () => void session.setDevice(input.value === "gpu" ? "gpu" : "cpu"));
  }
  effect(() => {
    for (const input of inputs) {
      input.checked = input.value === state.device.value;
      input.disabled = state.learning.value.status !== "idle";
    }
    remark.textContent = state.deviceRemark.value;
    remark.hidden = state.deviceRemark.value === "";
  });
}

function followProgress(state: State): void {
  const box = element("progress", HTMLDivElement);
  const bar = element("learn-progress", HTMLProgressElement);
  const figures = element("learn-figures", HTMLParagraphElement);
  effect(() => {
    const { status, epoch, epochs, loss, samplesPerSecond } = state.learning.value;
    box.hidden = status === "idle";
    bar.value = epochs > 0 ? epoch / epochs : 0;
    const rate = Math.round(samplesPerSecond).toLocaleString("en");
    figures.textContent = Number.isFinite(loss)
      ? `Pass ${Math.min(epoch + 1, epochs)} of ${epochs} · loss ${loss.toPrecision(3)} · ${rate} samples/s`
      : "Preparing…";
  });
}

function factsOf(model: LearnedModel): readonly HTMLElement[] {
  const rows: readonly (readonly [string, string])[] = [
    ["Model", `${model.name}, ${model.parameterCount.toLocaleString("en")} parameters`],
    ["Learned from", `${model.sampleCount.toLocaleString("en")} samples, ${model.epochs} passes`],
    ["Loss", model.loss.toPrecision(3)],
    ["Took", `${model.seconds.toFixed(1)} s on the ${model.device.toUpperCase()}`],
    ["Learned", new Date(model.learnedAt).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })],
  ];
  return rows.map(([term, value]) => make("div", make("dt", term), make("dd", value)));
}
