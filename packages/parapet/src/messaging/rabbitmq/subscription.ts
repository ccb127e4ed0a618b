import { type CancelableContext, type Context, orDone, rootContext, sleep } from "../../context/index.ts";
import { AppError } from "../../errors/index.ts";
import type { Logger } from "../../log/index.ts";
import type { Subscription, SubscriptionOptions } from "../broker.ts";
import { GroupChannel } from "./group-channel.ts";
import type { RabbitLink } from "./link.ts";
import type { RabbitPublisher } from "./publisher.ts";

/** Between a channel that ended and the next one; twice that at most, each time random. */
const RESUBSCRIBE_MS = 500;

const STOPPED = new AppError("canceled", "the subscription is being stopped");

export interface RabbitSubscriptionOptions extends SubscriptionOptions {
  readonly link: RabbitLink;
  readonly publisher: RabbitPublisher;
  readonly log: Logger;
}

/** Takes a group's messages over one channel after the other. */
export class RabbitSubscription implements Subscription {
  readonly #options: RabbitSubscriptionOptions;
  readonly #root: CancelableContext;
  #channel: GroupChannel | undefined;
  #because: string | undefined = "the broker was not reached yet";

  constructor(options: RabbitSubscriptionOptions) {
    this.#options = options;
    this.#root = rootContext(options.log);
    // It ends with an error only when it is stopped, or the broker is.
    this.#keepTaking(this.#root).catch(() => {});
  }

  notTakingBecause(): string | undefined {
    return this.#because;
  }

  async drain(ctx: Context): Promise<void> {
    this.#root.cancel(STOPPED);
    await this.#channel?.drain(ctx);
  }

  async stop(ctx: Context): Promise<number> {
    this.#root.cancel(STOPPED);
    const unsettled = this.#channel?.underWay ?? 0;
    await orDone(ctx, this.#channel?.close() ?? Promise.resolve());
    return unsettled;
  }

  async #keepTaking(ctx: Context): Promise<never> {
    for (;;) {
      const reason = await this.#take(ctx);
      ctx.throwIfDone();
      this.#note(ctx, reason);
      await sleep(ctx, RESUBSCRIBE_MS * (1 + Math.random()));
    }
  }

  /** Takes messages for as long as a channel lasts, and gives why it ended. */
  async #take(ctx: Context): Promise<unknown> {
    try {
      const connection = await this.#options.link.connected(ctx);
      const channel = await GroupChannel.open(connection, this.#options);
      this.#channel = channel;
      if (ctx.done !== undefined) return await channel.close();
      this.#because = undefined;
      ctx.log.info("messages are taken", { group: this.#options.group });
      return await channel.ended;
    } catch (thrown) {
      return thrown;
    }
  }

  #note(ctx: Context, reason: unknown): void {
    this.#because = reason instanceof AppError ? reason.message : "the broker ended the subscription";
    ctx.log.warn("no messages are taken", { group: this.#options.group, error: reason });
  }
}
