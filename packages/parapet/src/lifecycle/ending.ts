import { type CancelableContext, rootContext } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { type EndCause, logEndCause } from "./end-cause.ts";
import { exit } from "./exit.ts";
import { Shutdown } from "./shutdown.ts";
import {
  ABORT_LIMITS,
  FATAL_LIMITS,
  gracefulLimits,
  HURRIED_LIMITS,
  type ShutdownLimits,
  START_LIMITS,
} from "./shutdown-limits.ts";
import type { StartOutcome } from "./start.ts";

/** Decides what each reason to end leads to: the first one begins the shutdown, those that follow hurry it. */
export class Ending {
  /** Done when the first reason to end came. */
  readonly running: CancelableContext;
  readonly #log: Logger;
  readonly #graceMs: number;
  readonly #causes: EndCause[] = [];
  #serving = false;
  #shutdown: Shutdown | undefined;

  constructor(log: Logger, graceMs: number) {
    this.#log = log;
    this.#graceMs = graceMs;
    this.running = rootContext(log);
  }

  add(cause: EndCause): void {
    const fatalBefore = this.#causes.some(({ kind }) => kind === "uncaught");
    this.#causes.push(cause);
    logEndCause(this.#log, cause);
    if (this.#shutdown === undefined) this.#begin(cause);
    else if (cause.kind === "signal") this.#shutdown.hurry(ABORT_LIMITS);
    else if (cause.kind === "uncaught" && fatalBefore) void exit(1);
    else this.#shutdown.hurry(HURRIED_LIMITS);
  }

  /** Whether all components started, so that there may be work to drain. */
  get serving(): boolean {
    return this.#serving;
  }

  /** Takes how the start went, unless the end came meanwhile. */
  started({ failure }: StartOutcome): void {
    if (this.#shutdown !== undefined) return;
    if (failure === undefined) this.#serving = true;
    else this.add({ kind: "start", ...failure });
  }

  /** Waits until the shutdown begins. */
  begun(): Promise<Shutdown> {
    return new Promise((resolve) => {
      this.running.onDone(() => {
        if (this.#shutdown !== undefined) resolve(this.#shutdown);
      });
    });
  }

  /** 0 when one signal led here and nothing had to be aborted, else 1. */
  exitCode(shutdown: Shutdown): number {
    const asked = this.#causes.length === 1 && this.#causes[0]?.kind === "signal";
    return asked && !shutdown.forced ? 0 : 1;
  }

  #begin(cause: EndCause): void {
    this.#shutdown = new Shutdown(this.#log, this.#limits(cause));
    this.running.cancel(new AppError("canceled", "the process was told to end"));
  }

  #limits(cause: EndCause): ShutdownLimits {
    if (!this.#serving) return START_LIMITS;
    return cause.kind === "signal" ? gracefulLimits(this.#graceMs) : FATAL_LIMITS;
  }
}
