import { type CancelableContext, type Context, rootContext, sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import type { Instruments } from "./instruments.ts";
import { type Answer, type Command, RedisConnection, refusalOf } from "./redis-connection.ts";

export interface LinkOptions {
  readonly url: string;
  readonly service: string;
  readonly log: Logger;
  readonly instruments: Instruments;
  /** A key that was read changed. */
  readonly onInvalidate: (key: string) => void;
  /** Anything may have changed: Redis was flushed, is lost, or is there again. */
  readonly onFlush: () => void;
  /** Redis is there again. */
  readonly onConnected: () => void;
}

const FIRST_WAIT_MS = 50;
/** From the sixth failure on there are one to two seconds from one attempt to the next. */
const PATIENT_AFTER = 5;
const PATIENT_WAIT_MS = 1000;
/** A connection that was lost sooner counts as another failure. */
const GOOD_AFTER_MS = 5000;

const STOPPED = new AppError("canceled", "the cache is being closed");

/** Keeps a connection to Redis, one after the other, for as long as it runs. */
export class RedisLink {
  readonly #options: LinkOptions;
  readonly #root: CancelableContext;
  #connection: RedisConnection | undefined;
  #failures = 0;
  /** What was said in the log of there being no connection: nothing while there is one. */
  #told: string | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#root = rootContext(options.log);
  }

  start(): void {
    // It ends with an error only when it is stopped.
    this.#keep(this.#root).catch(() => {});
  }

  async stop(ctx: Context): Promise<void> {
    this.#root.cancel(STOPPED);
    await this.#connection?.stop(ctx, STOPPED);
  }

  /**
   * What Redis says to a command; undefined when it can't be asked, does not answer in time, or the breaker is open. Throws
   * nothing but the context's reason.
   */
  async ask(ctx: Context, command: Command): Promise<Answer | undefined> {
    if (this.#connection === undefined) return undefined;
    try {
      return await this.#connection.ask(ctx, command);
    } catch {
      ctx.throwIfDone();
      return undefined;
    }
  }

  async #keep(ctx: Context): Promise<void> {
    for (;;) {
      const startedAt = performance.now();
      const reason = await this.#hold(ctx);
      ctx.throwIfDone();
      this.#report(ctx, reason);
      if (performance.now() - startedAt > GOOD_AFTER_MS) this.#failures = 0;
      this.#failures++;
      await sleep(ctx, waitMsAfter(this.#failures));
    }
  }

  /** Connects, holds the connection for as long as it lasts, and gives why it ended. */
  async #hold(ctx: Context): Promise<unknown> {
    const connection = new RedisConnection({
      ...this.#options,
      onInvalidate: (key) => (key === undefined ? this.#options.onFlush() : this.#options.onInvalidate(key)),
    });
    const off = ctx.onDone((reason) => connection.end(reason));
    try {
      await this.#open(connection);
      // From here on it ends by `stop`, which lets it finish.
      off();
      this.#take(ctx, connection);
      return await connection.watch();
    } catch (thrown) {
      return thrown;
    } finally {
      off();
      this.#connection = undefined;
      connection.end(STOPPED);
      this.#options.onFlush();
    }
  }

  async #open(connection: RedisConnection): Promise<void> {
    const { connects } = this.#options.instruments;
    try {
      await connection.open();
      connects.with({ result: "ok" }).inc();
    } catch (thrown) {
      connects.with({ result: "failed" }).inc();
      throw thrown;
    }
  }

  #take(ctx: Context, connection: RedisConnection): void {
    this.#options.onFlush();
    this.#connection = connection;
    this.#told = undefined;
    ctx.log.info("the cache is connected");
    this.#options.onConnected();
  }

  /** Logs that there is no connection, and once more when Redis says why it gives none. */
  #report(ctx: Context, error: unknown): void {
    const reason = refusalOf(error) ?? this.#told ?? "";
    if (reason !== this.#told) ctx.log.warn("the cache has no connection", { error });
    this.#told = reason;
  }
}

/** Full jitter that doubles up to 800 ms, then one to two seconds: no more than one attempt a second. */
export function waitMsAfter(failures: number): number {
  if (failures > PATIENT_AFTER) return PATIENT_WAIT_MS * (1 + Math.random());
  return FIRST_WAIT_MS * 2 ** (failures - 1) * Math.random();
}
