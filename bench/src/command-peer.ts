/** A peer that is no JavaScript: a program that reads requests line by line and answers in lines (bench/native/peer.h). */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { MeasuredPeer } from "./peer.ts";
import type { Reply, Request } from "./protocol.ts";

/** The longest that a program may take to answer: compiling a model takes a while. */
const patienceMilliseconds = 240_000;

/** A running program with a number of threads. Its death is an answer too. */
export class CommandPeer implements MeasuredPeer {
  readonly #process: ChildProcess;
  #answer: ((reply: Reply) => void) | null = null;
  #lastWords = "";

  constructor(
    program: string,
    words: readonly string[],
    threads: number,
    environment: Readonly<Record<string, string>>,
  ) {
    this.#process = spawn(program, words, {
      env: {
        ...process.env,
        OMP_NUM_THREADS: String(threads),
        OPENBLAS_NUM_THREADS: String(threads),
        ...environment,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#process;
    if (stdout) createInterface({ input: stdout }).on("line", (line) => this.#settle(parse(line)));
    stderr?.on("data", (data: Buffer) => {
      this.#lastWords = (this.#lastWords + data.toString()).slice(-500);
    });
    const died = (): void => this.#settle({ kind: "unable", because: `${program} ended: ${this.#lastWords.trim()}` });
    this.#process.on("exit", died);
    this.#process.on("error", died);
  }

  ask(request: Request): Promise<Reply> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.stop();
        this.#settle({ kind: "unable", because: `no answer in ${patienceMilliseconds / 1000} s` });
      }, patienceMilliseconds);
      this.#answer = (reply) => {
        clearTimeout(timer);
        resolve(reply);
      };
      if (this.#process.exitCode !== null) {
        this.#settle({ kind: "unable", because: `its process ended: ${this.#lastWords.trim()}` });
        return;
      }
      const text = request.kind === "prepare" ? `prepare ${request.row}` : `measure ${request.milliseconds}`;
      this.#process.stdin?.write(`${text}\n`);
    });
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  #settle(reply: Reply): void {
    this.#answer?.(reply);
    this.#answer = null;
  }
}

/** `ready FIRST name=version …`, `measured PROCESSOR TIME …` or `unable WHY`. */
function parse(line: string): Reply {
  const [kind, first = "", ...rest] = line.trim().split(/ +/);
  if (kind === "ready") {
    const versions = Object.fromEntries(rest.map((word) => [word.split("=")[0] ?? "", word.split("=")[1] ?? ""]));
    return { kind: "ready", versions, firstMilliseconds: Number(first) };
  }
  if (kind === "measured") {
    return { kind: "measured", milliseconds: rest.map(Number), processorMilliseconds: Number(first) };
  }
  return {
    kind: "unable",
    because: kind === "unable" ? [first, ...rest].join(" ") : `an answer that is none: ${line}`,
  };
}
