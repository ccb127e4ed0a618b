import { type CancelableContext, type Context, orDone, rootContext, sleep } from "../../context/index.ts";
import { AppError } from "../../errors/index.ts";
import type { Logger } from "../../log/index.ts";
import type { Instruments } from "../instruments.ts";
import { RabbitConnection } from "./connection.ts";
import { Current } from "./current.ts";

export interface LinkOptions {
  readonly url: string;
  /** Names the service to the broker. */
  readonly service: string;
  /** What it is for: the broker keeps publishers waiting while it lacks memory, and consumers are not to wait with them. */
  readonly purpose: "publish" | "consume";
  readonly log: Logger;
  readonly instruments: Instruments;
}

const FIRST_PAUSE_MS = 100;
/** The longest pause before another attempt to connect; each is random, so that processes don't come back together. */
const LONGEST_PAUSE_MS = 1000;
/** For the goodbye of a connection. */
const GOODBYE_MS = 1000;

const STOPPED = new AppError("canceled", "the broker is being closed");

/** Keeps a connection to RabbitMQ, one after the other, for as long as it runs. */
export class RabbitLink {
  readonly #options: LinkOptions;
  readonly #root: CancelableContext;
  readonly #connection = new Current<RabbitConnection>();
  #failures = 0;
  #isTold = false;
  #running: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#root = rootContext(options.log);
  }

  get isBlocked(): boolean {
    return this.#connection.value?.isBlocked ?? false;
  }

  /** Connects, unless it does already. */
  start(): void {
    // It ends with an error only when it is stopped.
    this.#running ??= this.#keep(this.#root).catch(() => {});
  }

  /** Ends the connection, within a second. */
  async stop(ctx: Context): Promise<void> {
    this.#root.cancel(STOPPED);
    await orDone(ctx, this.#running ?? Promise.resolve());
  }

  /** The connection, once there is one. Throws the context's reason, and `canceled` when the link is stopped. */
  connected(ctx: Context): Promise<RabbitConnection> {
    return orDone(this.#root, this.#connection.next(ctx));
  }

  async #keep(ctx: Context): Promise<never> {
    for (;;) {
      const reason = await this.#hold(ctx);
      ctx.throwIfDone();
      this.#report(ctx, reason);
      await sleep(ctx, pauseMsAfter(this.#failures++));
    }
  }

  /** Connects, holds the connection for as long as it lasts, and gives why it ended. */
  async #hold(ctx: Context): Promise<unknown> {
    try {
      const connection = await this.#open(ctx);
      this.#take(ctx, connection);
      try {
        return await orDone(ctx, connection.ended);
      } finally {
        this.#connection.clear();
        await goodbye(connection);
      }
    } catch (thrown) {
      return thrown;
    }
  }

  async #open(ctx: Context): Promise<RabbitConnection> {
    const { url, service, purpose, instruments } = this.#options;
    const blocked = instruments.blocked.with({ connection: purpose });
    const count = (result: string) => instruments.connects.with({ connection: purpose, result }).inc();
    const opening = RabbitConnection.open({
      url,
      name: `${service} ${purpose}`,
      onBlocked: (isBlocked) => {
        blocked.set(isBlocked ? 1 : 0);
        ctx.log.warn(isBlocked ? "the broker takes no messages now" : "the broker takes messages again", { purpose });
      },
    });
    blocked.set(0);
    // One that comes about after nobody waits for it any more.
    opening.then((late) => ctx.done && late.destroy()).catch(() => {});
    try {
      const connection = await orDone(ctx, opening);
      count("ok");
      return connection;
    } catch (thrown) {
      count("failed");
      throw thrown;
    }
  }

  #take(ctx: Context, connection: RabbitConnection): void {
    ctx.log.info("the broker is connected", { purpose: this.#options.purpose });
    this.#isTold = false;
    this.#failures = 0;
    this.#connection.set(connection);
  }

  /** Logs that there is no connection, once. */
  #report(ctx: Context, error: unknown): void {
    if (!this.#isTold) ctx.log.warn("the broker has no connection", { purpose: this.#options.purpose, error });
    this.#isTold = true;
  }
}

async function goodbye(connection: RabbitConnection): Promise<void> {
  const timer = setTimeout(() => connection.destroy(), GOODBYE_MS);
  await Promise.race([connection.close(), connection.ended]);
  clearTimeout(timer);
}

/** Full jitter that doubles up to a second. */
function pauseMsAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * Math.random();
}
