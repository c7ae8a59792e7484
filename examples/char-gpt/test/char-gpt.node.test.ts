/** What the example promises: texts become numbers, the model learns and repeats itself by its seed, and writes what it knows. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as mx from "mlx-ts";
import { beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../common/command.ts";
import { CharacterModel } from "../model.ts";
import { draw, write } from "../sampling.ts";
import { Alphabet, corpusOf, readCorpus } from "../text.ts";
import { trainModel, validator } from "../training.ts";

const size = { layers: 2, width: 32, context: 16 };
/** Soon learned by heart. */
const refrain = "call me ishmael. ";
const rhyme = refrain.repeat(100);

describe("a text", () => {
  it("becomes numbers and comes back", () => {
    const alphabet = new Alphabet("call me — Ishmael");
    const numbers = alphabet.encode("Ishmael — me");
    expect(Array.from(numbers, (number) => alphabet.decode(number)).join("")).toBe("Ishmael — me");
    expect(alphabet.size).toBe(new Set("call me — Ishmael").size);
  });

  it("keeps its last tenth for judging", () => {
    const { training, validation } = corpusOf(rhyme, 16);
    expect(training.length + validation.length).toBe(rhyme.length);
    expect(validation.length).toBe(Math.ceil(rhyme.length / 10));
  });

  it("that cannot be learned is refused in a line", async () => {
    expect(() => new Alphabet("abc").encode("abd")).toThrow(/character "d" is not in the text/);
    expect(() => corpusOf("short", 16, "f.txt")).toThrow(
      /^f.txt: 5 characters are too few for windows of 16; take 170/,
    );
    await expect(readCorpus("/nowhere.txt", 16)).rejects.toThrow(/^\/nowhere.txt: cannot be read \(ENOENT\)/);
    expect(() => new CharacterModel(3, { ...size, width: 40 })).toThrow(UserError);
  });

  it("that is committed is the whole book", async () => {
    const { alphabet, training, validation } = await readCorpus(
      fileURLToPath(new URL("../data/moby-dick.txt", import.meta.url)),
      128,
    );
    expect(training.length + validation.length).toBe(1_191_160);
    expect(alphabet.size).toBe(81);
  });
});

describe("the model", () => {
  const corpus = corpusOf(rhyme, size.context);
  const options = { steps: 80, batchSize: 8 };
  let model: CharacterModel;
  let losses: readonly number[];

  async function train(seed: number): Promise<readonly [CharacterModel, readonly number[]]> {
    mx.random.seed(seed);
    const trained = new CharacterModel(corpus.alphabet.size, size);
    const curve: number[] = [];
    for await (const event of trainModel(trained, corpus.training, options)) {
      if (event.kind === "step") curve.push(event.loss);
    }
    return [trained, curve];
  }

  async function textOf(seed: number, sampling: { temperature: number; topK: number }): Promise<string> {
    mx.random.seed(seed);
    let written = "";
    for await (const character of write(model, corpus.alphabet, "call me", { length: 60, ...sampling })) {
      written += character;
    }
    return written;
  }

  beforeAll(async () => {
    [model, losses] = await train(1);
  });

  it("learns", async () => {
    expect(losses).toHaveLength(80);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 8);
    expect(await validator(model, corpus.validation)()).toBeLessThan(0.5);
  });

  it("repeats itself for a seed, and not for another", async () => {
    expect((await train(1))[1]).toEqual(losses);
    expect((await train(2))[1]).not.toEqual(losses);
  });

  it("sees the same in one character after another as in a window", async () => {
    const characters = corpus.training.subarray(5, 5 + size.context);
    const whole = model(mx.array(characters).expandDims(0)).get(0);
    const memory = model.emptyMemory();
    for (const [position, character] of characters.entries()) {
      const next = model.next(mx.array(character, "int32"), mx.array(position, "int32"), memory);
      await mx.evaluate(next, memory);
      expect(Number(await mx.max(mx.abs(next.sub(whole.get(position)))).item())).toBeLessThan(1e-4);
    }
  });

  it("looks back at no more than its context", async () => {
    const last = async (text: Int32Array): Promise<unknown> => {
      const memory = new CharacterModel(corpus.alphabet.size, { ...size, layers: 1 }).emptyMemory();
      mx.random.seed(3);
      const shallow = new CharacterModel(corpus.alphabet.size, { ...size, layers: 1 });
      let next = mx.array(0);
      for (const [position, character] of text.entries()) {
        next = shallow.next(mx.array(character, "int32"), mx.array(position, "int32"), memory);
        await mx.evaluate(next, memory);
      }
      return next.tolist();
    };
    const text = corpus.training.slice(0, 2 * size.context);
    const other = Int32Array.from(text).fill(0, 0, size.context);
    expect(await last(other)).toEqual(await last(text));
  });

  it("writes what it has learned, past the end of its context", async () => {
    const written = await textOf(1, { temperature: 0.1, topK: 1 });
    expect(refrain.repeat(5).startsWith(`call me${written}`)).toBe(true);
    expect(written).toHaveLength(60);
  });

  it("writes the same for a seed", async () => {
    const free = { temperature: 2, topK: 8 };
    expect(await textOf(5, free)).toBe(await textOf(5, free));
    expect(await textOf(6, free)).not.toBe(await textOf(5, free));
  });

  it("refuses an empty prompt", async () => {
    const nothing = write(model, corpus.alphabet, "", { length: 1, temperature: 1, topK: 1 });
    await expect(nothing.next()).rejects.toThrow(UserError);
  });
});

describe("drawing", () => {
  it("takes only from the likeliest, in proportion", async () => {
    mx.random.seed(0);
    const logits = mx.log(mx.array([0.1, 0.6, 0.3]));
    const counts = [0, 0, 0];
    for (let k = 0; k < 200; k++) {
      const drawn = Number(await draw(logits, { temperature: 1, topK: 2 }).item());
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    expect(counts[0]).toBe(0);
    expect(counts[1]).toBeGreaterThan(110);
    expect(counts[2]).toBeGreaterThan(40);
    expect(await draw(logits, { temperature: 1, topK: 99 }).item()).toBeLessThan(3);
  });
});

describe("the command", () => {
  it("trains, writes and reports", async () => {
    const folder = await mkdtemp(join(tmpdir(), "char-gpt-"));
    const [text, report] = [join(folder, "text.txt"), join(folder, "report.html")];
    await writeFile(text, rhyme);
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const small = ["--layers", "1", "--width", "32", "--context", "16", "--batch-size", "4", "--steps", "3"];
    const given = [...small, "--text", text, "--report", report, "--prompt", "call ", "--length", "7"];
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", main, ...given]);
    expect(stdout).toMatch(/bits per character on the part that was not learned/);
    const page = await readFile(report, "utf8");
    expect(page).toMatch(/<pre><b>call <\/b>[\s\S]{7}<\/pre>/);
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
  });
});
