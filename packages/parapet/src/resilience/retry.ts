import { type Context, sleep } from "../context/index.ts";
import { type AppError, hasCode, isOutcomeUnknown } from "../errors/index.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { wasTurnedAway } from "./turned-away.ts";

export interface RetryOptions {
  /** Shared by all that ask the same dependency, so that together they don't keep down what is getting up. */
  readonly budget: RetryBudget;
  /** Called before each attempt but the first, to count and to log, with the failure before it. */
  readonly onRetry?: (failure: AppError) => void;
}

/** Tries again what may work later. */
export interface Retry {
  /**
   * Runs `work`, up to three times while it throws `unavailable` or `timeout`, and throws its last failure. Only for work that may be done
   * twice. There is no other attempt when a breaker or a bulkhead refused it, when the outcome is not known, when the budget is spent, or when
   * the pause would outlast `ctx`. The pause is random, up to 100 ms and then 200 ms, after what the failure's `retryAfterMs` asks for.
   */
  run<T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T>;
}

const MAX_ATTEMPTS = 3;
/** Full jitter: from nothing to twice as much each time. (AWS, "Exponential Backoff and Jitter", 2015.) */
const FIRST_PAUSE_MS = 100;

/** Makes a retry. */
export function createRetry({ budget, onRetry }: RetryOptions): Retry {
  return {
    async run(ctx, work) {
      budget.earn();
      for (let attempt = 1; ; attempt++) {
        try {
          return await work(ctx);
        } catch (thrown) {
          if (attempt === MAX_ATTEMPTS || ctx.done !== undefined || !isWorthwhile(thrown)) throw thrown;
          const pauseMs = (thrown.retryAfterMs ?? 0) + Math.random() * FIRST_PAUSE_MS * 2 ** (attempt - 1);
          if (pauseMs >= ctx.remainingMs() || !budget.spend()) throw thrown;
          onRetry?.(thrown);
          await sleep(ctx, pauseMs);
        }
      }
    },
  };
}

function isWorthwhile(thrown: unknown): thrown is AppError {
  return hasCode(thrown, "unavailable", "timeout") && !wasTurnedAway(thrown) && !isOutcomeUnknown(thrown);
}
