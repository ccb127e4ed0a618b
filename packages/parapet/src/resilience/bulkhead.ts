import type { Context, Unsubscribe } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { turnedAway } from "./turned-away.ts";

export interface BulkheadOptions {
  /** What stands behind it; the field `dependency` of its errors. */
  readonly name: string;
  /** How many run at the same time, a whole number of at least 1. */
  readonly limit: number;
  /** How many may wait for their turn, 0 or more. */
  readonly queue: number;
  /** The longest wait for a turn, in milliseconds. */
  readonly maxWaitMs: number;
}

/** Lets only so many in at a time, so that one dependency can't take up everything. */
export interface Bulkhead {
  readonly running: number;
  readonly waiting: number;
  /**
   * Runs `work` when it is its turn, first come first served, and throws what it throws. Throws `unavailable` when too many wait
   * already or the wait was too long, and the context's reason when that ends first, at once also in the queue.
   */
  run<T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T>;
}

/** Makes a bulkhead with nobody in it. Throws `internal` for limits that make no sense. */
export function createBulkhead(options: BulkheadOptions): Bulkhead {
  return new FifoBulkhead(options);
}

class FifoBulkhead implements Bulkhead {
  readonly #options: BulkheadOptions;
  /** Calls each in, in the order in which they came. */
  readonly #queue = new Set<() => void>();
  #running = 0;

  constructor(options: BulkheadOptions) {
    const { limit, queue } = options;
    if (!Number.isInteger(limit) || limit < 1) throw new AppError("internal", "the limit of a bulkhead is at least 1");
    if (!Number.isInteger(queue) || queue < 0) throw new AppError("internal", "the queue of a bulkhead is at least 0");
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  async run<T>(ctx: Context, work: (ctx: Context) => Promise<T>): Promise<T> {
    ctx.throwIfDone();
    if (this.#running < this.#options.limit) this.#running++;
    else await this.#turn(ctx);
    try {
      // It may have ended between the call and its answer.
      ctx.throwIfDone();
      return await work(ctx);
    } finally {
      this.#leave();
    }
  }

  #turn(ctx: Context): Promise<void> {
    const { name, queue, maxWaitMs } = this.#options;
    if (this.#queue.size >= queue) throw turnedAway("too many callers wait already", name, maxWaitMs);
    return new Promise((resolve, reject) => {
      let off: Unsubscribe | undefined;
      const leaveQueue = () => {
        this.#queue.delete(enter);
        clearTimeout(timer);
        off?.();
      };
      const enter = () => {
        leaveQueue();
        resolve();
      };
      const giveUp = (reason: AppError) => {
        leaveQueue();
        reject(reason);
      };
      this.#queue.add(enter);
      const timer = setTimeout(
        () => giveUp(turnedAway("the wait for a turn was too long", name, maxWaitMs)),
        maxWaitMs,
      );
      off = ctx.onDone(giveUp);
    });
  }

  #leave(): void {
    const [enter] = this.#queue;
    // The place goes from hand to hand, so that nobody who comes now gets ahead of those who wait.
    if (enter === undefined) this.#running--;
    else enter();
  }
}
