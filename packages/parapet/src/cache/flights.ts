import { type CancelableContext, type Context, orDone, rootContext, withTimeout } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";

/** The longest that a load may take, also when its callers have more time. */
const MAX_FLIGHT_MS = 5000;

const NOBODY_WAITS = new AppError("canceled", "nobody waits for this any more");

/** One flight a key: callers that come while it is on its way wait for the same outcome, each under its own context. */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /**
   * Joins the flight of this key, or starts it. `work` runs under a context of its own, five seconds long, which ends early
   * when nobody waits any more. Throws what `work` throws, `timeout`, and the reason of `ctx` as soon as that ends.
   */
  async join(ctx: Context, key: string, work: (ctx: Context) => Promise<T>): Promise<T> {
    ctx.throwIfDone();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    try {
      return await flight.wait(ctx);
    } finally {
      if (flight.isDeserted) this.#remove(key, flight);
    }
  }

  /** Callers that come from now on start another flight; those who wait keep theirs. */
  detach(key: string): void {
    this.#flights.delete(key);
  }

  detachAll(): void {
    this.#flights.clear();
  }

  #start(key: string, work: (ctx: Context) => Promise<T>): Flight<T> {
    const flight = new Flight(this.#log, work);
    this.#flights.set(key, flight);
    const land = () => this.#remove(key, flight);
    flight.result.then(land, land);
    return flight;
  }

  #remove(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}

class Flight<T> {
  readonly result: Promise<T>;
  readonly #root: CancelableContext;
  #waiting = 0;

  constructor(log: Logger, work: (ctx: Context) => Promise<T>) {
    this.#root = rootContext(log);
    // Also work that does not heed its context is over in time for those who wait.
    this.result = withTimeout(this.#root, MAX_FLIGHT_MS, (ctx) => orDone(ctx, work(ctx)));
  }

  /** Everybody has left, which ends it: nobody may join any more. */
  get isDeserted(): boolean {
    return this.#waiting === 0;
  }

  async wait(ctx: Context): Promise<T> {
    this.#waiting++;
    try {
      return await orDone(ctx, this.result);
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.#root.cancel(NOBODY_WAITS);
    }
  }
}
