import type { Context } from "../context/index.ts";
import { hasCode, toAppError } from "../errors/index.ts";
import { FailureWindow } from "./failure-window.ts";
import { turnedAway } from "./turned-away.ts";

/** `half_open` while a probe is on its way. */
export type BreakerState = "closed" | "open" | "half_open";

export interface BreakerOptions {
  /** What stands behind it; the field `dependency` of its errors. */
  readonly name: string;
  /** Called at each change, to count and to log. */
  readonly onChange?: (state: BreakerState) => void;
  /** Called for each call that is refused. */
  readonly onRefused?: () => void;
}

/** Keeps callers from waiting for a dependency that does not answer. */
export interface Breaker {
  readonly state: BreakerState;
  /**
   * Runs `work`, and throws what it throws. Opens after five failures in a row, or when half of at least twenty calls within a
   * second failed: then throws `unavailable` at once, but for one probe a second, whose success closes it. `unavailable`,
   * `timeout` and `internal` are failures; the end of `ctx` itself says nothing about the dependency.
   */
  run<T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T>;
}

/** Makes a breaker, closed. */
export function createBreaker(options: BreakerOptions): Breaker {
  return new WindowBreaker(options);
}

const PROBE_INTERVAL_MS = 1000;

type Verdict = "success" | "failure" | "none";

class WindowBreaker implements Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = "closed";
  #window = new FailureWindow();
  #nextProbeAt = 0;
  /** Grows with each opening, probe and closing: a call that began before the latest of them has no say any more. */
  #era = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  async run<T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T> {
    ctx.throwIfDone();
    const era = this.#admit(performance.now());
    try {
      const result = await work(ctx);
      this.#judge(era, "success");
      return result;
    } catch (thrown) {
      this.#judge(era, verdictOn(ctx, thrown));
      throw thrown;
    }
  }

  #admit(nowMs: number): number {
    if (this.#state === "closed") return this.#era;
    const waitMs = this.#nextProbeAt - nowMs;
    if (waitMs > 0) {
      this.#options.onRefused?.();
      throw turnedAway("a dependency does not answer", this.#options.name, waitMs);
    }
    this.#nextProbeAt = nowMs + PROBE_INTERVAL_MS;
    this.#change("half_open");
    return this.#era;
  }

  #judge(era: number, verdict: Verdict): void {
    if (era !== this.#era || verdict === "none") return;
    if (this.#state === "closed") this.#count(verdict, performance.now());
    else if (verdict === "failure") this.#change("open");
    else this.#close();
  }

  #count(verdict: "success" | "failure", nowMs: number): void {
    this.#window[verdict](nowMs);
    if (verdict === "success" || !this.#window.isFailing(nowMs)) return;
    this.#nextProbeAt = nowMs + PROBE_INTERVAL_MS;
    this.#change("open");
  }

  #close(): void {
    this.#window = new FailureWindow();
    this.#change("closed");
  }

  #change(state: BreakerState): void {
    this.#era++;
    const before = this.#state;
    this.#state = state;
    if (before !== state) this.#options.onChange?.(state);
  }
}

function verdictOn(ctx: Context, thrown: unknown): Verdict {
  const error = toAppError(thrown);
  // The caller left, or had no more time: who knows what would have come.
  if (hasCode(error, "canceled") || (hasCode(error, "timeout") && ctx.done !== undefined)) return "none";
  return hasCode(error, "unavailable", "timeout", "internal") ? "failure" : "success";
}
