import { type CancelableContext, type Context, orDone, rootContext, sleep, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import type { Component } from "./component.ts";

export interface RepeatingOptions {
  readonly name: string;
  readonly log: Logger;
  /** From the end of a round to the next, in milliseconds, ±20 %, so that processes that started together drift apart. */
  readonly everyMs: number;
  /** How long one round may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Does its work once and tells whether there is more to do at once. */
  readonly round: (ctx: Context) => Promise<boolean>;
}

const JITTER = 0.2;
/** After failures the waits double up to this many times the usual one. */
const MOST_PATIENT = 4;
const STOP_TIMEOUT_MS = 1000;

/**
 * Makes a component that does something again and again in the background. A round that fails is logged, the first of a row
 * as a warning, and costs a longer wait; `stop` cancels the round and waits a second for it.
 */
export function createRepeating(options: RepeatingOptions): Component {
  return new Repeating(options);
}

class Repeating implements Component {
  readonly name: string;
  readonly #options: RepeatingOptions;
  readonly #ctx: CancelableContext;
  #running: Promise<void> = Promise.resolve();

  constructor(options: RepeatingOptions) {
    this.name = options.name;
    this.#options = options;
    this.#ctx = rootContext(options.log);
  }

  async start(): Promise<void> {
    // It ends with an error only when it is stopped.
    this.#running = this.#repeat(this.#ctx).catch(() => {});
  }

  async stop(ctx: Context): Promise<undefined> {
    this.#ctx.cancel(new AppError("canceled", "it is being stopped"));
    await withTimeout(ctx, STOP_TIMEOUT_MS, (ctx) => orDone(ctx, this.#running));
  }

  async #repeat(ctx: Context): Promise<never> {
    for (let patience = 1; ; ) {
      const waitMs = this.#options.everyMs * patience * (1 - JITTER + 2 * JITTER * Math.random());
      await sleep(ctx, waitMs);
      patience = (await this.#succeeds(ctx, patience === 1)) ? 1 : Math.min(MOST_PATIENT, 2 * patience);
    }
  }

  async #succeeds(ctx: Context, isFirst: boolean): Promise<boolean> {
    const { name, timeoutMs, round } = this.#options;
    try {
      while (await withTimeout(ctx, timeoutMs, round));
      return true;
    } catch (error) {
      ctx.throwIfDone();
      ctx.log[isFirst ? "warn" : "debug"]("a background round failed", { component: name, error });
      return false;
    }
  }
}
