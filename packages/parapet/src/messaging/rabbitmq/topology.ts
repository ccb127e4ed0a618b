import { RETRY_PAUSES_MS, type SubscriptionOptions } from "../broker.ts";
import type { AmqpChannel } from "./amqp-channel.ts";

/** Where every message is published, under its type. */
export const EVENTS = "events";
/** Where a queue puts what it was never able to have handled, under the queue's name. */
const PARKING = "parking";

/** How often the broker itself delivers a message whose receivers die of it, before it parks it. RabbitMQ 4's default. */
const DELIVERY_LIMIT = 20;
/**
 * For what people look at: each look is a delivery that counts, and at the limit RabbitMQ 4 (20 unless told) throws away. So many
 * are never; "none" (-1) is read as 0 by RabbitMQ 3, which then throws away at the first. (rabbitmq-server #12250,
 * NServiceBus.RabbitMQ #1828.)
 */
const BOUNDLESS = 1_000_000_000;
/** What a queue holds before it refuses more, which then waits with its publisher. */
const MAX_QUEUE_BYTES = 1024 ** 3;

/** Where a group's messages are. */
export interface GroupQueues {
  /** What is to be handled. */
  readonly main: string;
  /** What waits after a failure: one queue a pause, the shortest first; none where order is kept. */
  readonly retries: readonly string[];
  /** What was put aside. */
  readonly parking: string;
}

/** The names of a group's queues. */
export function queuesOf(group: string, ordered = false): GroupQueues {
  const main = `q.${group}`;
  const pausesMs = ordered ? [] : RETRY_PAUSES_MS;
  return { main, retries: pausesMs.map((ms) => `${main}.retry.${pauseName(ms)}`), parking: `${main}.parking` };
}

/** The exchange that publishers need. */
export async function assertEvents(channel: AmqpChannel): Promise<void> {
  await channel.assertExchange(EVENTS, "topic", { durable: true });
}

/**
 * All that a group needs. Asserting is all that is ever done: a queue that is there with other arguments is an error, and
 * stays as it is.
 */
export async function assertGroup(
  channel: AmqpChannel,
  { group, types, ordered = false }: Pick<SubscriptionOptions, "group" | "types" | "ordered">,
): Promise<void> {
  const { main, retries, parking } = queuesOf(group, ordered);
  await assertEvents(channel);
  await channel.assertExchange(PARKING, "direct", { durable: true });
  await channel.assertQueue(parking, quorum({ "x-delivery-limit": BOUNDLESS }));
  await channel.bindQueue(parking, PARKING, main);
  for (const [index, retry] of retries.entries())
    await channel.assertQueue(retry, quorum({ ...deadLetters("", main), "x-message-ttl": RETRY_PAUSES_MS[index] }));
  // Where it is not asked for it is left out: a queue that was declared without it has other arguments than one with false.
  const single = ordered ? { "x-single-active-consumer": true } : {};
  const limit = { "x-delivery-limit": DELIVERY_LIMIT };
  await channel.assertQueue(main, quorum({ ...deadLetters(PARKING, main), ...limit, ...single }));
  for (const type of types) await channel.bindQueue(main, EVENTS, type);
}

/** At least once, for which the queue must refuse what it has no room for, or the broker silently forgets. (RabbitMQ, Quorum Queues.) */
function deadLetters(exchange: string, routingKey: string): Readonly<Record<string, unknown>> {
  return {
    "x-dead-letter-exchange": exchange,
    "x-dead-letter-routing-key": routingKey,
    "x-dead-letter-strategy": "at-least-once",
  };
}

function quorum(options: Readonly<Record<string, unknown>>) {
  return {
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-overflow": "reject-publish",
      "x-max-length-bytes": MAX_QUEUE_BYTES,
      ...options,
    },
  };
}

function pauseName(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`;
}
