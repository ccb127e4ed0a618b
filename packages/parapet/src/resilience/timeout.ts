import { type Context, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";

export interface TimeoutOptions {
  /** What is waited for; the field `dependency` of its errors. */
  readonly name: string;
  /** The longest that `work` may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Gives a dependency its time. */
export interface Timeout {
  /**
   * Runs `work` under a context that ends after `timeoutMs`, or with `ctx` when that is sooner, and throws what `work` throws; the
   * `timeout` that is due to `timeoutMs` says whom it is of. It does not abandon `work`, which stops because it heeds its context.
   */
  run<T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T>;
}

/** Makes a timeout. */
export function createTimeout({ name, timeoutMs }: TimeoutOptions): Timeout {
  return {
    run(ctx, work) {
      return withTimeout(ctx, timeoutMs, async (limited) => {
        try {
          return await work(limited);
        } catch (thrown) {
          const isItsOwn = limited.done !== undefined && ctx.done === undefined;
          if (!isItsOwn || !hasCode(thrown, "timeout")) throw thrown;
          const fields = { ...thrown.fields, dependency: name };
          throw new AppError("timeout", "a dependency did not answer in time", { cause: thrown, fields });
        }
      });
    },
  };
}
