/** What an import may cost: the numbers that a commit moves on purpose, and how they are measured. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { rootPath } from "./root.ts";

/** The most that a bundled program may weigh. */
export interface BundleBudget {
  readonly name: string;
  /** The program that is bundled. */
  readonly program: string;
  /** The limit in bytes, minified and gzipped. */
  readonly byteLimit: number;
  /** What it shall come down to. */
  readonly byteGoal: number;
}

/** The budgets, one line each. */
export const bundleBudgets: readonly BundleBudget[] = [
  {
    name: "array, add, sum, grad",
    program: 'import { add, array, evaluate, grad, sum } from "mlx-ts"; console.log(array, add, sum, grad, evaluate);',
    byteLimit: 75_000,
    byteGoal: 45_000,
  },
];

/** What a program weighs, bundled for browsers from this package's source, minified and gzipped, in bytes. */
export async function measureBundle(program: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: rootPath, sourcefile: "program.ts", loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    external: ["node:*"],
    target: "es2022",
    minify: true,
    write: false,
    logLevel: "silent",
    tsconfig: `${rootPath}/tsconfig.json`,
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  return gzipSync(code, { level: 9 }).byteLength;
}
