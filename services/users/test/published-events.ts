import { randomBytes } from "node:crypto";
import {
  eventually,
  type RabbitChannel,
  type RabbitMessage,
  type RabbitSandboxOptions,
  rabbitSandbox,
  type TestScope,
} from "parapet/testing";

/** An event as it was published. */
export interface PublishedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly id: string; readonly name: string; readonly email: string; readonly version: number };
  /** When it came, by `performance.now()`. */
  readonly at: number;
}

/** What is published of users on a broker, from now on. */
export interface PublishedEvents {
  readonly amqpUrl: string;
  /** All events so far, in the order of their coming, those of other tests too. */
  all(): Promise<readonly PublishedEvent[]>;
  /** The events of a user so far, in the order of their coming. */
  of(userId: string): Promise<readonly PublishedEvent[]>;
}

/** Listens to the events of users, by a queue of its own on the broker of the run, or another one. */
export async function publishedEvents(t: TestScope, options: RabbitSandboxOptions = {}): Promise<PublishedEvents> {
  const { url, channel } = await rabbitSandbox(t, options);
  const queue = `test_users_${randomBytes(6).toString("hex")}`;
  // Gone with the connection of the test.
  await observeUsers(channel, queue, { exclusive: true });
  const events: PublishedEvent[] = [];
  await channel.consume(queue, (message) => message && events.push(toEvent(message)), { noAck: true });
  const all = async () => {
    // Answered behind all that was delivered before.
    await channel.checkQueue(queue);
    return events;
  };
  return { amqpUrl: url, all, of: async (userId) => (await all()).filter(({ data }) => data.id === userId) };
}

/** Makes a queue that takes all events of users. */
export async function observeUsers(channel: RabbitChannel, queue: string, options: object): Promise<void> {
  await channel.assertExchange("events", "topic", { durable: true });
  await channel.assertQueue(queue, options);
  await channel.bindQueue(queue, "events", "users.user.#");
}

/** Takes what is in such a queue, in its order. */
export async function takeEvents(channel: RabbitChannel, queue: string): Promise<readonly PublishedEvent[]> {
  const events: PublishedEvent[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return events;
    events.push(toEvent(message));
  }
}

/** Waits until so many events of a user were published, and gives the types, in their order. */
export async function typesOf(events: PublishedEvents, userId: string, count: number): Promise<readonly string[]> {
  await eventually(async () => (await events.of(userId)).length >= count, 15_000);
  return (await events.of(userId)).map(({ type }) => type);
}

function toEvent({ content, fields, properties }: RabbitMessage): PublishedEvent {
  const data = JSON.parse(content.toString());
  return { id: String(properties.messageId), type: fields.routingKey, data, at: performance.now() };
}
