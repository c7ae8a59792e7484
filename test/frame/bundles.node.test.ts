/** Programs in bundles: parts are found however they are bundled, and a part that is lost is an error that says so. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rootPath } from "../../tools/root.ts";

/** Needs every part: products, transcendental functions, memory of loops, other types, attention; and many elements for threads. */
const program = `
import * as mx from "mlx-ts";
const a = mx.ones([40, 40]);
console.log((await a.matmul(a).data())[0]);
console.log((await mx.softmax(mx.zeros([4, 8]), -1).data())[3]);
console.log(await mx.array([7, -7], "int32").remainder(3).tolist(), await mx.array([0.1], "float16").tolist());
const q = mx.ones([1, 2, 4, 8]);
console.log((await mx.fast.scaledDotProductAttention(q, q, q, { scale: 1 }).data())[5]);
console.log(await mx.ones([2_000_000]).mul(2).add(1).sum().item());
console.log(await mx.sort(mx.array([3, 1, 2])).tolist(), await mx.cumsum(mx.array([1, 2, 3])).tolist());
`;
const output = "40\n0.125\n[ 1, 2 ] [ 0.0999755859375 ]\n1\n6000000\n[ 1, 2, 3 ] [ 1, 3, 6 ]\n";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlx-ts-bundle-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function bundle(
  contents: string,
  options: { readonly splitting: boolean; readonly minify: boolean },
): Promise<void> {
  await build({
    ...options,
    stdin: { contents, resolveDir: rootPath, sourcefile: "program.ts", loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    external: ["node:*"],
    outdir: folder,
    entryNames: "program",
    outExtension: { ".js": ".mjs" },
    logLevel: "silent",
    tsconfig: `${rootPath}/tsconfig.json`,
  });
}

async function run(environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "program.mjs")], {
    env: { ...process.env, MLX_TS_THREADS: "2", ...environment },
  });
  return stdout;
}

describe("a program in a bundle", () => {
  it.each([
    { splitting: true, minify: true },
    { splitting: false, minify: true },
    { splitting: false, minify: false },
  ])("finds every part: %j", async (options) => {
    await bundle(program, options);
    expect(await run()).toBe(output);
  });

  it("calculates with methods before they are loaded, and differentiates through them", async () => {
    await bundle(
      `
      import { array, grad, vmap } from "mlx-ts";
      const x = array([[1, 4], [9, 16]]);
      const roots = x.sqrt();
      const loss = (w) => w.exp().mul(w.get(0).max()).sum().add(w.at("::2, 1").multiply(2).mean());
      const slope = grad(loss)(roots);
      const rows = vmap((row) => row.cumsum())(roots);
      const changed = roots.at(array([[true, false], [false, true]])).set(array([7, 8])).at(-1, [0, 0]).add(1);
      const stacked = array([roots.get(0), [5, 6]]);
      try { x.matmul(array([1, 2, 3])); } catch (error) { console.log(error.name, error.message); }
      console.log(String(roots));
      console.log(await roots.tolist(), await rows.tolist(), await changed.tolist(), await stacked.tolist());
      console.log((await slope.tolist()).flat().map((one) => one.toFixed(3)).join(" "));
      console.log((await grad(loss)(roots).tolist()).flat().map((one) => one.toFixed(3)).join(" "));
      `,
      { splitting: true, minify: true },
    );
    const [error, pending, values, before, after] = (await run()).split("\n");
    expect(error).toBe("ShapeError matmul: inner lengths differ: [2, 2] has 2, [3] has 3");
    expect(pending).toBe("array(float32 [2, 2], not yet computed)");
    expect(values).toBe("[ [ 1, 2 ], [ 3, 4 ] ] [ [ 1, 3 ], [ 3, 7 ] ] [ [ 7, 2 ], [ 5, 8 ] ] [ [ 1, 2 ], [ 5, 6 ] ]");
    expect(before).toBe(after);
    expect(before).toBe("5.687 100.069 40.421 109.446");
  });

  it("knows classes by their names though they are renamed", async () => {
    await bundle(
      `
      import * as mx from "mlx-ts";
      import * as nn from "mlx-ts/nn";
      import * as optim from "mlx-ts/optimizers";
      import { decodeError, encodeError } from "./packages/actor/src/errors.ts";
      const isClass = ([, value]) => typeof value === "function" && /^class\\b/.test(value);
      const layers = { ...nn, ...optim };
      const classes = Object.entries(layers).filter(isClass);
      console.log(classes.length > 70, classes.filter(([, value]) => layers[value.name] !== value));
      const errors = Object.entries(mx).filter(isClass).filter(([, value]) => value.prototype instanceof mx.MLXError);
      const arrived = (Class) => decodeError(encodeError(new Class("op", "detail"))) instanceof Class;
      console.log(errors.length > 7, errors.filter(([, value]) => !arrived(value)));
      console.log(String(new optim.SGD({ learningRate: 1 })).split("(")[0], String(new nn.Conv2d(1, 2, 3)).split("(")[0]);
      `,
      { splitting: false, minify: true },
    );
    expect(await run()).toBe("true []\ntrue []\nSGD Conv2d\n");
  });

  it("says what to do where a part is missing, and finds it once it is there", async () => {
    await bundle(
      `
      import * as mx from "mlx-ts";
      import { rename } from "node:fs/promises";
      const a = mx.ones([40, 40]);
      const product = a.matmul(a);
      await mx.evaluate(product).catch((error) => console.log(error.name, error.message));
      console.log(await mx.ones([4]).add(1).tolist());
      await rename(process.env.LOST, process.env.FOUND);
      console.log((await product.data())[7]);
      `,
      { splitting: true, minify: false },
    );
    const [name = ""] = (await readdir(folder)).filter((file) => file.startsWith("contraction-part"));
    const [LOST, FOUND] = [join(folder, "lost.mjs"), join(folder, name)];
    await rename(FOUND, LOST);
    const lines = await run({ LOST, FOUND });
    expect(lines).toMatch(/^LoadError products: .*beside each other; the next evaluation tries again\n/);
    expect(lines).toMatch(/\[ 2, 2, 2, 2 \]\n40\n$/);
  });
});
