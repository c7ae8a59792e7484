/** A library in a process of its own, as the benchmark sees it. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Reply, Request } from "./protocol.ts";

/** A library that can be measured. */
export interface Subject {
  readonly name: string;
  /** The module that exports its `library`, from this folder. */
  readonly module: string;
}

/** Every library, ours first. */
export const subjects: readonly Subject[] = [
  { name: "mlx-ts", module: "./library-mlx.ts" },
  { name: "jax-js", module: "../peers/src/jax.ts" },
  { name: "tfjs-wasm", module: "../peers/src/tfjs.ts" },
  { name: "ort-web", module: "../peers/src/onnxruntime-web.ts" },
  { name: "ort-node", module: "../peers/src/onnxruntime-node.ts" },
];

/** The longest that a library may take to answer. */
const patienceMilliseconds = 120_000;

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Something that prepares rows and runs them when asked. */
export interface MeasuredPeer {
  /** Sends a request and waits for its reply. */
  ask(request: Request): Promise<Reply>;
  /** Ends the process. */
  stop(): void;
}

/** A running process of a library with a number of threads. Its death is an answer too. */
export class Peer implements MeasuredPeer {
  readonly #process: ChildProcess;
  #lastWords = "";

  constructor(subject: Subject, threads: number, execPath: string = process.execPath) {
    // jax-js uses relaxed SIMD where the engine has it; Node 20 has it behind this flag.
    const relaxed = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];
    this.#process = fork(pathOf("./peer-process.ts"), [pathOf(subject.module)], {
      execPath,
      execArgv: ["--import", "tsx", ...(subject.name === "jax-js" ? relaxed : [])],
      env: {
        ...process.env,
        BENCH_THREADS: String(threads),
        MLX_TS_THREADS: String(threads),
        OMP_NUM_THREADS: String(threads),
      },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#process.stderr?.on("data", (data: Buffer) => {
      this.#lastWords = (this.#lastWords + data.toString()).slice(-500);
    });
  }

  ask(request: Request): Promise<Reply> {
    return new Promise((resolve) => {
      const finish = (reply: Reply): void => {
        clearTimeout(timer);
        this.#process.removeAllListeners("message");
        this.#process.removeAllListeners("exit");
        resolve(reply);
      };
      const timer = setTimeout(() => {
        this.stop();
        finish({ kind: "unable", because: `no answer in ${patienceMilliseconds / 1000} s` });
      }, patienceMilliseconds);
      const died = (): void => finish({ kind: "unable", because: `its process ended: ${this.#lastWords.trim()}` });
      if (!this.#process.connected) return died();
      this.#process.once("message", finish);
      this.#process.once("exit", died);
      this.#process.send(request);
    });
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}
