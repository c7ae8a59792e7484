/** What the example says of a judged network, in the terminal and in its report. */

import { figure, type GrayImage, paragraph, plot, type Report, section, table } from "../common/html.ts";
import { classNames, type LabelledImages, side } from "./dataset.ts";
import type { Judgement } from "./training.ts";

/** What a training left behind. */
export interface History {
  /** The loss and the share of right answers of every step. */
  readonly losses: readonly number[];
  readonly accuracies: readonly number[];
  /** After each pass: the step, and the share of right answers on the test images. */
  readonly tests: readonly { readonly step: number; readonly accuracy: number }[];
}

/** Mistakes that the report shows. */
const shownMistakes = 24;

/** A share as percent, as 91.4 %. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A table of what the network takes images for. */
export function describeConfusion({ confusion }: Judgement): string {
  const width = 6;
  const nameLength = Math.max(...classNames.map((name) => name.length));
  const line = (name: string, cells: readonly (string | number)[]): string =>
    `  ${name.padEnd(nameLength)}${cells.map((cell) => String(cell).padStart(width)).join("")}`;
  return [
    line(
      "",
      classNames.map((name) => name.slice(0, width - 1)),
    ),
    ...confusion.map((counts, label) =>
      line(
        classNames[label] ?? "",
        counts.map((count) => (count === 0 ? "·" : count)),
      ),
    ),
  ].join("\n");
}

/** The report on a network: how it was trained, if it was, and what it makes of the test images. */
export function reportOf(test: LabelledImages, judgement: Judgement, history: History | null, lead: string): Report {
  const { confusion, accuracy } = judgement;
  const totals = confusion.map((counts) => counts.reduce((sum, count) => sum + count, 0));
  const sections = [
    section(
      "Test images",
      paragraph(`It is right about ${percent(accuracy)} of ${test.count} images. A row holds the images of one kind.`),
      table(
        [["", ...classNames], ...confusion.map((counts, label) => [classNames[label] ?? "", ...counts])],
        (row, column) => 0.6 * ((confusion[row - 1]?.[column - 1] ?? 0) / Math.max(totals[row - 1] ?? 0, 1)),
      ),
    ),
    section("One of each kind, rightly named", grid(firstOfEachKind(test, judgement), test, judgement)),
    section("The mistakes that it is surest of", grid(surestMistakes(test, judgement), test, judgement)),
  ];
  if (history) sections.unshift(trainingSection(history));
  return { title: "Fashion-MNIST", lead, sections };
}

function trainingSection({ losses, accuracies, tests }: History): string {
  const across = { label: "step", values: losses.map((_, k) => k + 1) };
  const atTests = across.values.map((step) => tests.find((test) => test.step === step)?.accuracy ?? null);
  return section(
    "Training",
    plot({ across, up: { label: "loss", isLogarithmic: true }, curves: [{ label: "loss", values: smooth(losses) }] }),
    plot({
      across,
      up: { label: "right" },
      curves: [
        { label: "training images", values: smooth(accuracies) },
        { label: "test images", values: atTests },
      ],
    }),
  );
}

/** Means over a hundredth of the values around each. */
function smooth(values: readonly number[]): readonly number[] {
  const reach = Math.floor(values.length / 200);
  return values.map((_, k) => {
    const around = values.slice(Math.max(k - reach, 0), k + reach + 1);
    return Number((around.reduce((sum, value) => sum + value, 0) / around.length).toPrecision(5));
  });
}

function firstOfEachKind({ labels }: LabelledImages, { classes }: Judgement): readonly number[] {
  return classNames
    .map((_, kind) => labels.findIndex((label, image) => label === kind && classes[image] === kind))
    .filter((image) => image >= 0);
}

function surestMistakes({ labels }: LabelledImages, { classes, confidences }: Judgement): readonly number[] {
  const wrong = Array.from(labels.keys()).filter((image) => labels[image] !== classes[image]);
  return wrong.sort((a, b) => (confidences[b] ?? 0) - (confidences[a] ?? 0)).slice(0, shownMistakes);
}

function grid(chosen: readonly number[], test: LabelledImages, { classes, confidences }: Judgement): string {
  const figures = chosen.map((image) => {
    const label = classNames[test.labels[image] ?? 0] ?? "";
    const taken = classNames[classes[image] ?? 0] ?? "";
    const sure = percent(confidences[image] ?? 0);
    return figure(
      pictureOf(test, image),
      label === taken ? `${label}, ${sure}` : `${label}, taken for ${taken}, ${sure}`,
    );
  });
  return `<div class="grid">${figures.join("\n")}</div>`;
}

function pictureOf({ images }: LabelledImages, image: number): GrayImage {
  return { width: side, height: side, pixels: images.subarray(image * side * side, (image + 1) * side * side) };
}
