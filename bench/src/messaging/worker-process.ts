import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { AppError } from "parapet/errors";
import { usageOf } from "../process-usage.ts";
import type { Answer, Order } from "./worker.ts";

export interface WorkerOptions {
  /** `parapet-worker.ts`, or another one beside. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where its output goes, as a service's goes somewhere. */
  readonly logFile: string;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 20_000;
const SHOWN_OUTPUT = 2000;

/** A process that publishes or consumes. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #options: WorkerOptions;

  private constructor(child: ChildProcess, options: WorkerOptions) {
    this.#child = child;
    this.#options = options;
  }

  /** Starts it, and waits until it takes orders. Throws `unavailable`, with the end of its output, when it does not get there. */
  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const { file, args, env, logFile } = options;
    const output = openSync(logFile, "w");
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", output, output, "ipc"],
    });
    closeSync(output);
    const worker = new WorkerProcess(child, options);
    await worker.#answer();
    return worker;
  }

  /** Processor time so far, in microseconds. */
  cpuMicros(): number {
    return usageOf(this.#child.pid ?? 0).cpuMicros;
  }

  /** Gives an order, and the times that it is answered with. */
  async times(order: Order): Promise<readonly number[]> {
    const answer = this.#answer();
    this.#child.send(order);
    const answered = await answer;
    return answered.kind === "times" ? answered.times : [];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    if (this.#child.connected) this.#child.send({ kind: "end" } satisfies Order);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  }

  async #answer(): Promise<Answer> {
    const { signal, file, logFile } = this.#options;
    const ending = new AbortController();
    const until = AbortSignal.any([signal, ending.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const ended = once(this.#child, "exit", { signal: until }).then(() => [undefined]);
      const [answer]: readonly unknown[] = await Promise.race([once(this.#child, "message", { signal: until }), ended]);
      if (answer !== undefined) return answer as Answer;
    } catch (thrown) {
      signal.throwIfAborted();
      this.#child.kill("SIGKILL");
      throw new AppError("timeout", `${file} did not answer`, { cause: thrown });
    } finally {
      ending.abort();
    }
    throw new AppError("unavailable", `${file} ended\n${(await readFile(logFile, "utf8")).slice(-SHOWN_OUTPUT)}`);
  }
}
