/** The element: what it shows of a training, what its controls ask for, and how it is used without a pointer. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import { defineTrainingMonitor, panelNames, type TrainingMonitorElement } from "@mlx-ts/studio";
import type { ControlCommand, Histogram, RunEvent } from "mlx-ts/train";
import { afterEach, describe, expect, it } from "vitest";
import { endEvent, startEvent, stepEvent } from "../../monitor/test/events.ts";

const histogram: Histogram = { minimum: -1, maximum: 1, counts: [1, 4, 2], mean: 0, deviation: 0.5, invalidCount: 0 };

function place(attributes: Readonly<Record<string, string>> = {}): TrainingMonitorElement {
  defineTrainingMonitor();
  const element = document.createElement("mlx-training-monitor");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  document.body.append(element);
  return element;
}

function monitorOf(...events: readonly RunEvent[]): TrainingMonitor {
  const monitor = new TrainingMonitor();
  for (const event of events) monitor.push(event);
  monitor.flush();
  return monitor;
}

function find<K extends keyof HTMLElementTagNameMap>(
  element: HTMLElement,
  tag: K,
  selector = "",
): HTMLElementTagNameMap[K] {
  const found = element.shadowRoot?.querySelector<HTMLElementTagNameMap[K]>(`${tag}${selector}`);
  if (!found) throw new Error(`the element has no ${tag}${selector}`);
  return found;
}

const textOf = (element: HTMLElement): string => element.shadowRoot?.querySelector(".monitor")?.textContent ?? "";

// Elements are of a page.
describe.skipIf(typeof document === "undefined")("<mlx-training-monitor>", () => {
  afterEach(() => {
    document.body.replaceChildren();
  });

  it("shows how a training stands, and follows it", () => {
    const element = place();
    const monitor = monitorOf(startEvent({ steps: 100 }), stepEvent(1, { loss: 0.25, metrics: { meanError: 0.5 } }));
    element.monitor = monitor;
    expect(textOf(element)).toContain("Training");
    expect(textOf(element)).toContain("step 1 of 100");
    expect(textOf(element)).toContain("Mean error0.5000");
    monitor.push(stepEvent(50, { loss: 0.25 }));
    monitor.push({ ...endEvent(100), step: 100 });
    expect(textOf(element)).toContain("Finished");
    expect(find(element, "div", "[role=progressbar]").getAttribute("aria-valuenow")).toBe("100");
    element.remove();
    expect(textOf(element)).toBe("");
  });

  it("says that a loss is no number", () => {
    const element = place({ panels: "figures" });
    const monitor = monitorOf(startEvent());
    element.monitor = monitor;
    expect(textOf(element)).not.toContain("NaN");
    monitor.push(stepEvent(1, { loss: 0.25 }));
    monitor.push(stepEvent(2, { loss: Number.NaN }));
    monitor.flush();
    expect(textOf(element)).toContain("LossNaNlowest 0.2500 at 1");
  });

  it("says since when losses are not finite, while they are not", () => {
    const element = place();
    const monitor = monitorOf(startEvent(), stepEvent(1));
    element.monitor = monitor;
    const alert = (): string => element.shadowRoot?.querySelector(".error")?.textContent ?? "";
    monitor.push({ kind: "nonFinite", step: 1, epoch: 0, batch: 1, loss: Number.NaN });
    monitor.flush();
    expect(alert()).toBe("Since step 1 the loss is NaN");
    monitor.push(stepEvent(2, { loss: 1 }));
    monitor.flush();
    expect(alert()).toBe("");
  });

  it("takes what was set before it was known to the page", () => {
    const early = document.createElement("mlx-early-monitor");
    const monitor = monitorOf(startEvent());
    Object.assign(early, { monitor });
    document.body.append(early);
    defineTrainingMonitor("mlx-early-monitor");
    expect(textOf(early)).toContain("Training");
  });

  it("sends commands, and says what went wrong with one", async () => {
    const element = place();
    const commands: ControlCommand[] = [];
    element.monitor = monitorOf(startEvent(), stepEvent(1));
    element.controls = {
      apply: (command) => {
        commands.push(command);
        if (command.kind === "stop") throw new Error("out of reach");
      },
    };
    const [pause, stop] = [...(element.shadowRoot?.querySelectorAll<HTMLButtonElement>(".controls > button") ?? [])];
    expect(pause?.textContent).toBe("Pause");
    pause?.click();
    element.monitor?.push({ kind: "pause", step: 1, epoch: 0, batch: 1 });
    element.monitor?.flush();
    expect(pause?.textContent).toBe("Resume");
    pause?.click();
    const rate = find(element, "input");
    expect(rate.value).toBe("0.1");
    rate.value = "1e-3";
    find(element, "form").requestSubmit();
    rate.value = "fast";
    find(element, "form").requestSubmit();
    stop?.click();
    await expect.poll(() => find(element, "p", "[role=alert]").textContent).toBe("out of reach");
    expect(commands).toEqual([
      { kind: "pause" },
      { kind: "resume" },
      { kind: "learningRate", learningRate: 0.001 },
      { kind: "stop" },
    ]);
    element.monitor?.push(endEvent(1));
    expect([pause?.disabled, stop?.disabled, rate.disabled]).toEqual([true, true, true]);
  });

  it("reads its charts by keys, and says aloud what they show", async () => {
    const element = place({ panels: "loss" });
    const steps = Array.from({ length: 200 }, (_, k) => stepEvent(k + 1, { loss: 1 / (k + 1) }));
    element.monitor = monitorOf(startEvent(), ...steps);
    await expect.poll(() => element.shadowRoot?.querySelector("canvas")).toBeTruthy();
    const chart = find(element, "div", "[role=slider]");
    expect(chart.getAttribute("aria-label")).toBe("Loss over steps");
    expect(chart.getAttribute("aria-valuetext")).toBe("step 200: 0.0050");
    const press = (key: string): string | null => {
      chart.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
      return chart.getAttribute("aria-valuetext");
    };
    expect(press("Home")).toBe("step 1: 1.000");
    expect(press("ArrowRight")).toBe("step 2: 0.5000");
    expect(press("PageUp")).toBe("step 52: 0.0192");
    expect(press("End")).toBe("step 200: 0.0050");
    expect(find(element, "output").textContent).toContain("step 200");
  });

  it("draws distributions, kernels and samples, and nothing of what was not reported", () => {
    const element = place();
    const monitor = monitorOf(startEvent(), stepEvent(1));
    element.monitor = monitor;
    const section = (name: string): HTMLElement => find(element, "section", `[aria-label="${name}"]`);
    const optional = ["Distributions", "Kernels of a step", "Graph", "Samples"];
    expect(optional.map((name) => section(name).hidden)).toEqual([true, true, true, true]);
    const at = { step: 1, epoch: 0, batch: 1 };
    const named = { "0.weight": histogram, "0.bias": histogram };
    monitor.push({ kind: "histograms", ...at, parameters: named, gradients: named });
    const kernel = { label: "add", kind: "loop", bytes: 8, flops: 2, milliseconds: 0.5, heldBytes: 16 } as const;
    monitor.push({
      kind: "kernels",
      ...at,
      kernels: [
        { ...kernel, reads: [] },
        { ...kernel, reads: [0] },
      ],
      dot: "digraph {}",
    });
    monitor.push({ kind: "samples", ...at, samples: [{ prediction: "b", target: "a" }, { prediction: [1, 2, 3] }] });
    monitor.flush();
    expect(optional.map((name) => section(name).hidden)).toEqual([false, false, false, false]);
    expect([...find(element, "select").options].map(({ value }) => value)).toEqual(["0.weight", "0.bias"]);
    expect(section("Distributions").querySelectorAll("path.latest")).toHaveLength(2);
    expect(section("Kernels of a step").textContent).toContain("2 kernels, 1.00 ms, at most 16 B held");
    expect(section("Kernels of a step").querySelectorAll("tbody tr")).toHaveLength(2);
    expect(section("Samples").querySelectorAll("tr.wrong")).toHaveLength(1);
    expect(section("Samples").querySelectorAll("polyline")).toHaveLength(1);
  });

  it("draws other runs beside its own", async () => {
    const element = place({ panels: "loss", label: "mine" });
    element.monitor = monitorOf(startEvent(), stepEvent(1, { loss: 0.5 }), stepEvent(3, { loss: 0.25 }));
    element.comparisons = [
      { name: "yours", monitor: monitorOf(startEvent(), stepEvent(2), stepEvent(3, { loss: 0.125 })) },
    ];
    expect(find(element, "div", ".legend").textContent).toBe("mineyours");
    const chart = find(element, "div", "[role=slider]");
    expect(chart.getAttribute("aria-valuetext")).toBe("step 3: mine 0.2500, yours 0.1250");
    expect([...find(element, "output").children].map(({ textContent }) => textContent)).toEqual(["0.2500", "0.1250"]);
  });

  it("shows the panels that are asked for, in their order", () => {
    const element = place({ panels: "phases figures" });
    element.monitor = monitorOf(startEvent(), stepEvent(1));
    expect(
      [...(element.shadowRoot?.querySelector(".monitor")?.children ?? [])].map(({ className }) => className),
    ).toEqual(["figures", "panel"]);
    element.removeAttribute("panels");
    expect(element.shadowRoot?.querySelector(".monitor")?.children).toHaveLength(panelNames.length);
  });

  it("keeps to its theme, or to the page's", () => {
    const element = place({ theme: "dark" });
    const dark = getComputedStyle(element).backgroundColor;
    element.setAttribute("theme", "light");
    const light = getComputedStyle(element).backgroundColor;
    element.removeAttribute("theme");
    document.documentElement.style.colorScheme = "dark";
    expect(getComputedStyle(element).backgroundColor).toBe(dark);
    document.documentElement.style.colorScheme = "";
    expect(dark).not.toBe(light);
  });
});
