import { setTimeout as delay } from "node:timers/promises";

export interface PollOptions {
  readonly timeoutMs: number;
  /** Between two questions, 20 by default: short beside anything that is waited for here, and next to no load. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks until there is an answer, and gives it; undefined when there was none in time.
 * An aborted signal ends it with the signal's reason.
 */
export async function poll<T>(ask: () => T | undefined | Promise<T | undefined>, options: PollOptions) {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined || performance.now() >= deadline) return answer;
    await delay(options.everyMs ?? 20);
  }
}

/** Gives what settles within `timeoutMs`, or undefined. */
export async function settled<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
