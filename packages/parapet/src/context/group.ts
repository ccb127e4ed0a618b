import { AppError } from "../errors/index.ts";
import { type Context, withCancel } from "./context.ts";

export interface GroupOptions {
  /** How many tasks run at the same time, a whole number of at least 1. */
  readonly limit: number;
}

/**
 * Runs tasks at once, at most `limit` at a time, and gives their results in order. The first failure cancels the others
 * (`canceled`), no further task starts, all that run are awaited, and that failure is thrown.
 * Semantics of Go's `golang.org/x/sync/errgroup`.
 */
export async function group<T>(
  ctx: Context,
  { limit }: GroupOptions,
  tasks: Iterable<(ctx: Context) => Promise<T>>,
): Promise<T[]> {
  if (!Number.isInteger(limit) || limit < 1) throw new AppError("internal", "the limit of a group is at least 1");
  return withCancel(ctx, async (ctx, cancel) => {
    const results: T[] = [];
    const pending = entries(tasks);
    let failure: { readonly thrown: unknown } | undefined;
    const worker = async (): Promise<void> => {
      try {
        // Shared by the workers: leaving the loop by throwing ends it for all.
        for (const [index, task] of pending) {
          ctx.throwIfDone();
          results[index] = await task(ctx);
        }
      } catch (thrown) {
        failure ??= { thrown };
        cancel(new AppError("canceled", "another task of the group failed", { cause: thrown }));
      }
    };
    await Promise.all(Array.from({ length: limit }, worker));
    if (failure !== undefined) throw failure.thrown;
    return results;
  });
}

function* entries<T>(items: Iterable<T>): Generator<[number, T]> {
  let index = 0;
  for (const item of items) yield [index++, item];
}
