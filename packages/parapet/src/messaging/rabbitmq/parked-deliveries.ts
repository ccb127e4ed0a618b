import { type Context, orDone, sleep, withTimeout } from "../../context/index.ts";
import { AppError } from "../../errors/index.ts";
import { assertBrokerUrl } from "../broker-url.ts";
import type { ReceivedMessage } from "../message.ts";
import type { AmqpChannel, AmqpDelivery } from "./amqp-channel.ts";
import { failureOf, failuresOf, toReceived, toReplay } from "./amqp-message.ts";
import { lost, RabbitConnection } from "./connection.ts";
import { RabbitPublisher } from "./publisher.ts";
import { type GroupQueues, queuesOf } from "./topology.ts";

export interface ParkedOptions {
  /** Of the RabbitMQ, as `createBroker` takes it. */
  readonly url: string;
  /** Whose messages. */
  readonly group: string;
}

/** A message that was put aside, and what can be done about it. What nothing was done about stays where it is. */
export interface ParkedDelivery {
  readonly message: ReceivedMessage;
  /** How often handling it has failed; 0 when the broker gave up on it by itself. */
  readonly failures: number;
  /** Why it is here: a code and a message, and nothing of what the message says. */
  readonly error: string;
  /** When its last failure was, where that is known. */
  readonly failedAt?: Date;
  /** How many are parked behind it. */
  readonly remaining: number;
  /**
   * Puts it into the group's queue as if it had never failed, under its own id, by which the inbox still knows whether it took
   * effect, or under a new one, which makes it another message. A process that ends in the midst of it leaves it in both places.
   * Throws `not_found` when the group has no queue, and `unavailable` or `timeout` when the broker does not take it.
   */
  replay(newId?: string): Promise<void>;
  /** Deletes it, and returns when the broker has heard of it. Throws `unavailable` or `timeout`. */
  drop(): Promise<void>;
}

/** For each answer of the broker, and for the goodbye. */
const ANSWER_MS = 5000;
/** For the queue to have again what was given back, if nobody else takes it meanwhile; and between two looks. */
const RETURN_MS = 1000;
const LOOK_MS = 10;
/** For the confirm of a replay, also from a broker that takes nothing now. */
const REPLAY_MS = 10_000;
const NO_SUCH_QUEUE = 404;

/**
 * Goes through the messages that a group has parked on a RabbitMQ, oldest first: those that are there when it begins, and that
 * nobody else looks at meanwhile. It has a connection of its own. When the loop has ended, what was replayed or dropped in it is
 * gone for good, and all else is back. (RabbitMQ queues anew what was given back, so that a loop that is left early changes the
 * order of what it leaves.) Throws `invalid` for a wrong URL, `unavailable` when the broker can't be reached or lets go, `timeout`
 * when it does not answer, and `not_found` when it has nothing of the group.
 */
export async function* parkedDeliveries(
  ctx: Context,
  options: ParkedOptions,
): AsyncGenerator<ParkedDelivery, void, void> {
  const parking = await Parking.open(ctx, options);
  try {
    for (let left = await parking.count(); left > 0; left--) {
      const delivery = await parking.next();
      if (delivery === undefined) return;
      yield delivery;
    }
  } finally {
    await parking.close();
  }
}

/** A look into the parking queue of a group. */
class Parking {
  readonly #ctx: Context;
  readonly #group: string;
  readonly #queues: GroupQueues;
  readonly #connection: RabbitConnection;
  readonly #channel: AmqpChannel;
  readonly #publisher: RabbitPublisher;
  #isChannelOpen = true;
  /** What is here and was not settled, and what is behind it in the queue. */
  #held = 0;
  #behind = 0;

  private constructor(ctx: Context, group: string, connection: RabbitConnection, channel: AmqpChannel) {
    this.#ctx = ctx;
    this.#group = group;
    this.#queues = queuesOf(group);
    this.#connection = connection;
    this.#channel = channel;
    channel.once("close", () => {
      this.#isChannelOpen = false;
    });
    this.#publisher = new RabbitPublisher(connection, ctx.log);
    this.#publisher.start();
  }

  static async open(ctx: Context, { url, group }: ParkedOptions): Promise<Parking> {
    assertBrokerUrl(url);
    const name = `parked messages of ${group}`;
    const connection = await RabbitConnection.open({ url, name, onBlocked: () => {} });
    try {
      return new Parking(ctx, group, connection, await connection.channel());
    } catch (thrown) {
      connection.destroy();
      throw thrown;
    }
  }

  async count(): Promise<number> {
    const { parking } = this.#queues;
    const counted = await this.#answer(async () => {
      return this.#channel.checkQueue(parking).catch((cause) => {
        if (cause.code !== NO_SUCH_QUEUE) throw cause;
        throw new AppError("not_found", `there is no group ${this.#group}: the broker has no queue ${parking}`, {
          cause,
        });
      });
    });
    return counted.messageCount;
  }

  /** The next one, or undefined when the others are with somebody else. */
  async next(): Promise<ParkedDelivery | undefined> {
    const parked = await this.#answer(() => this.#channel.get(this.#queues.parking));
    if (parked === false) return undefined;
    this.#held++;
    this.#behind = parked.fields.messageCount;
    return {
      message: toReceived(parked),
      failures: failuresOf(parked),
      ...failureOf(parked),
      remaining: parked.fields.messageCount,
      replay: (newId) => this.#replay(parked, newId),
      drop: () => this.#drop(parked),
    };
  }

  /** Has the broker know what was done, and lets go. */
  async close(): Promise<void> {
    this.#publisher.stop();
    try {
      if (this.#isChannelOpen) await this.#answer(() => this.#giveBack());
    } finally {
      this.#connection.destroy();
    }
  }

  async #giveBack(): Promise<void> {
    this.#channel.nackAll(true);
    // A queue writes down first what it is given back, and has it a moment later: who looks at once would miss it.
    const giveUpAt = performance.now() + RETURN_MS;
    while ((await this.#ready()) < this.#held + this.#behind && performance.now() < giveUpAt)
      await sleep(this.#ctx, LOOK_MS);
    await this.#channel.close();
  }

  async #ready(): Promise<number> {
    return (await this.#channel.checkQueue(this.#queues.parking)).messageCount;
  }

  async #drop(parked: AmqpDelivery): Promise<void> {
    this.#settle(parked);
    // Answered behind it.
    await this.#answer(() => this.#ready());
  }

  #settle(parked: AmqpDelivery): void {
    this.#channel.ack(parked);
    this.#held--;
  }

  async #replay(parked: AmqpDelivery, newId: string | undefined): Promise<void> {
    const { main } = this.#queues;
    const publication = {
      exchange: "",
      routingKey: main,
      data: parked.content,
      properties: toReplay(parked, newId),
    };
    await withTimeout(this.#ctx, REPLAY_MS, (ctx) => this.#publisher.publish(ctx, publication));
    this.#settle(parked);
  }

  async #answer<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await withTimeout(this.#ctx, ANSWER_MS, (ctx) => orDone(ctx, ask()));
    } catch (thrown) {
      throw thrown instanceof AppError ? thrown : lost("the broker let go", thrown);
    }
  }
}
