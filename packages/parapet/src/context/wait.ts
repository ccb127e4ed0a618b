import { type Context, MAX_TIMER_MS } from "./context.ts";

/**
 * Waits for `promise`, but no longer than the context lasts: throws `canceled` or `timeout` when it ends first. The work
 * behind the promise goes on; use this only where the work cannot be told to stop.
 */
export function orDone<T>(ctx: Context, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const off = ctx.onDone(reject);
    promise.then(resolve, reject).finally(off);
  });
}

/** Waits `ms` milliseconds, or throws `canceled` or `timeout` when the context ends first. */
export function sleep(ctx: Context, ms: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => {
        off();
        resolve();
      },
      // Node fires longer timers at once.
      Math.min(ms, MAX_TIMER_MS),
    );
    const off = ctx.onDone((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}
