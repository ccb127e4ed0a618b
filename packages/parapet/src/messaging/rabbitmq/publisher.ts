import { type CancelableContext, type Context, orDone, rootContext, sleep, withTimeout } from "../../context/index.ts";
import { AppError } from "../../errors/index.ts";
import type { Logger } from "../../log/index.ts";
import type { AmqpConfirmChannel, AmqpProperties } from "./amqp-channel.ts";
import { lost, type RabbitConnection } from "./connection.ts";
import { Current } from "./current.ts";
import { Returned } from "./returned.ts";
import { assertEvents } from "./topology.ts";

/** How long the broker may take to confirm; the time in which it takes nothing does not count. */
const CONFIRM_TIMEOUT_MS = 5000;
/** How many may be unconfirmed, also by callers that gave up: what the driver keeps for them is bounded by it. */
const MAX_UNCONFIRMED = 1000;
/** How long a message waits for a channel, as after a start or a short loss. */
const CHANNEL_WAIT_MS = 1000;
/** Between a channel that closed and the next one. */
const REOPEN_MS = 100;

const STOPPED = new AppError("canceled", "the broker is being closed");

/** Where a message goes, and with what. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly data: Buffer;
  readonly properties: AmqpProperties;
}

/** Where connections come from, one after the other. */
export interface Connections {
  /** The broker takes nothing now. */
  readonly isBlocked: boolean;
  connected(ctx: Context): Promise<RabbitConnection>;
}

/** A channel, and what came back over it. */
interface Opened {
  readonly channel: AmqpConfirmChannel;
  readonly returned: Returned;
}

/** Publishes over one channel after the other, each message confirmed by the broker. */
export class RabbitPublisher {
  readonly #connections: Connections;
  readonly #root: CancelableContext;
  readonly #current = new Current<Opened>();
  /** Messages that wait for a channel or a confirm. */
  #underWay = 0;

  constructor(connections: Connections, log: Logger) {
    this.#connections = connections;
    this.#root = rootContext(log);
  }

  start(): void {
    // It ends with an error only when it is stopped.
    this.#keepOpen(this.#root).catch(() => {});
  }

  stop(): void {
    this.#root.cancel(STOPPED);
  }

  notPublishingBecause(): string | undefined {
    if (this.#current.value === undefined) return "the broker can't be reached";
    return this.#connections.isBlocked ? "the broker takes no messages now" : undefined;
  }

  async #keepOpen(ctx: Context): Promise<never> {
    for (;;) {
      try {
        await this.#hold(ctx);
      } catch (error) {
        ctx.throwIfDone();
        ctx.log.debug("no channel to publish over", { error });
      }
      await sleep(ctx, REOPEN_MS);
    }
  }

  /** Opens a channel, and returns when it has closed: with its connection, or alone when what was published to is gone. */
  async #hold(ctx: Context): Promise<void> {
    const connection = await this.#connections.connected(ctx);
    const channel = await connection.confirmChannel();
    const closed = new Promise<void>((resolve) => channel.once("close", () => resolve()));
    await assertEvents(channel);
    const returned = new Returned();
    channel.on("return", ({ fields, properties }) => returned.note({ ...fields, id: properties.messageId }));
    this.#current.set({ channel, returned });
    await closed;
    this.#current.clear();
  }

  /** Throws as `Broker.publish` does. */
  async publish(ctx: Context, publication: Publication): Promise<void> {
    ctx.throwIfDone();
    if (this.#underWay >= MAX_UNCONFIRMED)
      throw new AppError("unavailable", "too many messages wait for the broker to confirm them");
    this.#underWay++;
    const opened = await this.#opened(ctx).catch((thrown) => {
      this.#underWay--;
      throw thrown;
    });
    return this.#send(ctx, opened, publication);
  }

  async #opened(ctx: Context): Promise<Opened> {
    if (this.#current.value !== undefined) return this.#current.value;
    try {
      return await withTimeout(ctx, CHANNEL_WAIT_MS, (ctx) => orDone(this.#root, this.#current.next(ctx)));
    } catch {
      ctx.throwIfDone();
      throw new AppError("unavailable", "the broker can't be reached");
    }
  }

  #send(ctx: Context, { channel, returned }: Opened, publication: Publication): Promise<void> {
    return new Promise((resolve, reject) => {
      const { exchange, routingKey, data, properties } = publication;
      const settle = (end: () => void) => {
        off();
        clearTimeout(timer);
        end();
      };
      const giveUp = (reason: AppError) => settle(() => reject(reason));
      const onTimeout = () => {
        if (this.#connections.isBlocked) timer = setTimeout(onTimeout, CONFIRM_TIMEOUT_MS);
        else giveUp(new AppError("unavailable", "the broker did not confirm a message in time"));
      };
      let timer = setTimeout(onTimeout, CONFIRM_TIMEOUT_MS);
      const off = ctx.onDone(giveUp);
      channel.publish(exchange, routingKey, data, { ...properties, mandatory: true }, (error) => {
        this.#underWay--;
        const wasReturned = returned.take({ exchange, routingKey, id: properties.messageId });
        if (error) giveUp(lost("the broker did not take a message", error));
        else if (wasReturned) giveUp(new AppError("not_found", "no queue takes messages of this type"));
        else settle(resolve);
      });
    });
  }
}
