import { type CancelableContext, type Context, orDone, rootContext, sleep, withTimeout } from "../../context/index.ts";
import { AppError } from "../../errors/index.ts";
import type { Verdict } from "../broker.ts";
import { errorText } from "../error-text.ts";
import type { AmqpChannel, AmqpDelivery } from "./amqp-channel.ts";
import { failuresOf, toCopy, toReceived } from "./amqp-message.ts";
import type { RabbitConnection } from "./connection.ts";
import { lost } from "./connection.ts";
import type { RabbitSubscriptionOptions } from "./subscription.ts";
import { assertGroup, queuesOf } from "./topology.ts";

/** For all that a subscription asks of the broker: a quorum queue without a leader answers no consumer. */
const OPEN_TIMEOUT_MS = 5000;
/** Between two attempts to put a message where it waits; meanwhile it keeps its place among those under way. */
const REPUBLISH_MS = 1000;

const CLOSED = new AppError("canceled", "the channel is closed");

/** One channel over which a group's messages are taken, from its consumer's start to its end. */
export class GroupChannel {
  /** Settles when nothing more comes over it, with why. */
  readonly ended: Promise<AppError>;
  readonly #options: RabbitSubscriptionOptions;
  readonly #channel: AmqpChannel;
  readonly #life: CancelableContext;
  readonly #unsettled = new Set<AmqpDelivery>();
  #end: (reason: AppError) => void = () => {};
  #tag = "";
  #isDraining = false;
  #whenSettled: (() => void)[] = [];

  private constructor(channel: AmqpChannel, options: RabbitSubscriptionOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#life = rootContext(options.log);
    this.ended = new Promise((resolve) => {
      this.#end = (reason) => {
        this.#life.cancel(CLOSED);
        resolve(reason);
      };
    });
    let cause: unknown;
    channel.on("error", (error) => {
      cause = error;
    });
    channel.once("close", () => this.#end(lost("the broker closed the channel", cause)));
  }

  /** Makes sure that all is there that the group needs, and takes its messages. Throws `unavailable`. */
  static async open(connection: RabbitConnection, options: RabbitSubscriptionOptions): Promise<GroupChannel> {
    const taking = new GroupChannel(await connection.channel(), options);
    try {
      // Not its own life, which ends with a channel that closes, and says less of why than the driver does.
      await withTimeout(rootContext(options.log), OPEN_TIMEOUT_MS, (ctx) => orDone(ctx, taking.#open()));
      return taking;
    } catch (cause) {
      // Not waited for: who does not answer does not say goodbye either.
      void taking.close();
      throw lost(`the queues of ${options.group} can't be used as they are`, cause);
    }
  }

  /** Messages that have no verdict yet. */
  get underWay(): number {
    return this.#unsettled.size;
  }

  /** Takes no more, and waits for the verdicts on what is here. */
  async drain(ctx: Context): Promise<void> {
    this.#isDraining = true;
    // What was on its way when the broker heard of it has arrived with its answer.
    if (!this.#options.ordered) await orDone(ctx, this.#channel.cancel(this.#tag)).catch(() => {});
    await orDone(ctx, this.#settled());
    // With a consumer that is canceled the broker would let the next process begin, though this one has not ended what it has.
    if (this.#options.ordered) await orDone(ctx, this.close());
  }

  async close(): Promise<void> {
    this.#end(CLOSED);
    await this.#channel.close().catch(() => {});
  }

  async #open(): Promise<void> {
    const { group, prefetch } = this.#options;
    await assertGroup(this.#channel, this.#options);
    await this.#channel.prefetch(prefetch);
    const { consumerTag } = await this.#channel.consume(queuesOf(group).main, (message) => {
      if (message === null) void this.#canceled();
      else void this.#handle(message);
    });
    this.#tag = consumerTag;
  }

  /** The broker did, as when the queue was deleted: what is under way is gone for it too. */
  async #canceled(): Promise<void> {
    this.#end(new AppError("unavailable", "the broker canceled the consumer"));
    await this.close();
  }

  async #handle(message: AmqpDelivery): Promise<void> {
    this.#unsettled.add(message);
    try {
      const delivery = {
        message: toReceived(message),
        failures: failuresOf(message),
        isRedelivered: message.fields.redelivered,
      };
      const verdict = this.#isDraining ? ({ kind: "release" } as const) : await this.#verdictOn(delivery);
      await this.#settle(message, verdict);
    } catch (error) {
      // The channel is gone, and with it the delivery: the broker makes another.
      this.#options.log.debug("a message could not be settled", { group: this.#options.group, error });
    } finally {
      this.#unsettled.delete(message);
      if (this.#unsettled.size === 0) for (const settled of this.#whenSettled.splice(0)) settled();
    }
  }

  async #verdictOn(delivery: Parameters<RabbitSubscriptionOptions["handle"]>[0]): Promise<Verdict> {
    try {
      return await this.#options.handle(delivery);
    } catch (thrown) {
      return { kind: "retry", error: errorText(thrown) };
    }
  }

  async #settle(message: AmqpDelivery, verdict: Verdict): Promise<void> {
    const { group, ordered } = this.#options;
    if (verdict.kind === "release") {
      // Where order is kept it goes back with the channel: before that it would come straight back.
      if (!ordered) this.#channel.nack(message, false, true);
      return;
    }
    const failures = failuresOf(message);
    const { parking, retries } = queuesOf(group, ordered);
    if (verdict.kind === "retry")
      await this.#copyTo(retries[failures] ?? parking, message, failures + 1, verdict.error);
    else if (verdict.kind === "park")
      await this.#copyTo(parking, message, verdict.failures ?? failures + 1, verdict.error);
    this.#channel.ack(message);
  }

  /** Puts a copy there, sooner or later; only then may the message go. A crash in between makes two, with the same id. */
  async #copyTo(queue: string, message: AmqpDelivery, failures: number, error: string): Promise<void> {
    const properties = toCopy(message, failures, error);
    for (;;) {
      try {
        return await this.#options.publisher.publish(this.#life, {
          exchange: "",
          routingKey: queue,
          data: message.content,
          properties,
        });
      } catch (thrown) {
        this.#life.throwIfDone();
        this.#options.log.debug("a message could not be put aside", { queue, error: thrown });
        await sleep(this.#life, REPUBLISH_MS);
      }
    }
  }

  #settled(): Promise<void> {
    if (this.#unsettled.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenSettled.push(resolve));
  }
}
