/** Progress in a terminal: a bar that moves, or a few lines. */
import { type RunEvent, type StartEvent, withProgress } from "mlx-ts/train";
import { describe, expect, it } from "vitest";
import { endEvent, startEvent, stepEvent } from "../../packages/monitor/test/events.ts";

async function shown(
  events: readonly RunEvent[],
  isTTY: boolean,
): Promise<{ readonly texts: string[]; readonly kinds: string[] }> {
  const texts: string[] = [];
  const kinds: string[] = [];
  async function* source(): AsyncGenerator<RunEvent, void, void> {
    yield* events;
  }
  const output = { isTTY, write: (text: string) => texts.push(text) };
  for await (const event of withProgress(source(), { name: "net", output })) kinds.push(event.kind);
  return { texts, kinds };
}

const training = (limits: Partial<StartEvent>, count: number): RunEvent[] => [
  startEvent(limits),
  ...Array.from({ length: count }, (_, k) => stepEvent(k + 1, { loss: 0.5, samplesPerSecond: 1000 })),
];

describe("withProgress", () => {
  it("hands every event on", async () => {
    const { kinds } = await shown([...training({ steps: 2 }, 2), endEvent(2)], false);
    expect(kinds).toEqual(["start", "step", "step", "end"]);
  });

  it("leaves ten lines where output is no terminal", async () => {
    const { texts } = await shown([...training({ steps: 1000 }, 1000), endEvent(1000)], false);
    expect(texts).toHaveLength(10);
    expect(texts[0]).toMatch(/^net {2}██░{22} {2}10 % {2}step 100 {2}loss 0\.500 {2}1,000 samples\/s {2}.+ left\n$/);
    expect(texts.at(-1)).toBe(`net  ${"█".repeat(24)} 100 %  step 1,000  loss 0.500  1,000 samples/s\n`);
  });

  it("draws over its line in a terminal, and ends it, also when it is left", async () => {
    const { texts } = await shown([...training({ steps: 10 }, 10), endEvent(10)], true);
    expect(texts[0]?.startsWith("\r\u001b[2Knet")).toBe(true);
    expect(texts.at(-1)).toMatch(/100 %.*\n$/);
    const left = await shown(training({ steps: 10 }, 3), true);
    expect(left.texts.at(-1)).toBe("\n");
  });

  it("says in a line of its own when a loss, or a norm of gradients, is not finite", async () => {
    const at = { step: 2, epoch: 0, batch: 2 };
    const events = (loss: number): RunEvent[] => [
      ...training({ steps: 100 }, 2),
      { kind: "nonFinite", ...at, loss, gradientNorm: Number.POSITIVE_INFINITY },
    ];
    expect((await shown(events(Number.NaN), false)).texts).toEqual(["net  step 2: the loss is NaN\n"]);
    const { texts } = await shown(events(1), true);
    expect(texts.at(-1)).toBe("\r\u001b[2Knet  step 2: the norm of the gradients is Infinity\n");
  });

  it("counts epochs where no number of steps is known, and draws no bar without an end", async () => {
    const half = stepEvent(6, { epoch: 1, batch: 2 });
    expect((await shown([startEvent({ epochs: 2 }), half], true)).texts[0]).toContain(" 75 %");
    expect((await shown([startEvent(), stepEvent(3)], true)).texts[0]).not.toContain("%");
  });
});
