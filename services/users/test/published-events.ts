import { randomBytes } from "node:crypto";
import { eventually, type RabbitMessage, rabbitSandbox, type TestScope } from "parapet/testing";

/** An event as it was published. */
export interface PublishedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly id: string; readonly name: string; readonly email: string; readonly version: number };
}

/** What is published of users on the broker of the run, from now on. */
export interface PublishedEvents {
  readonly amqpUrl: string;
  /** The events of a user so far, in the order of their coming. Others' users are others' business. */
  of(userId: string): Promise<readonly PublishedEvent[]>;
}

/** Listens to the events of users, by a queue of its own. */
export async function publishedEvents(t: TestScope): Promise<PublishedEvents> {
  const { url, channel } = await rabbitSandbox(t);
  const queue = `test_users_${randomBytes(6).toString("hex")}`;
  await channel.assertExchange("events", "topic", { durable: true });
  // Gone with the connection of the test.
  await channel.assertQueue(queue, { exclusive: true });
  await channel.bindQueue(queue, "events", "users.user.#");
  const events: PublishedEvent[] = [];
  return {
    amqpUrl: url,
    of: async (userId) => {
      for (let message = await take(); message !== false; message = await take()) events.push(toEvent(message));
      return events.filter(({ data }) => data.id === userId);
    },
  };

  function take(): Promise<RabbitMessage | false> {
    return channel.get(queue, { noAck: true });
  }
}

/** Waits until so many events of a user were published, and gives the types, in their order. */
export async function typesOf(events: PublishedEvents, userId: string, count: number): Promise<readonly string[]> {
  await eventually(async () => (await events.of(userId)).length >= count, 15_000);
  return (await events.of(userId)).map(({ type }) => type);
}

function toEvent({ content, fields, properties }: RabbitMessage): PublishedEvent {
  return { id: String(properties.messageId), type: fields.routingKey, data: JSON.parse(content.toString()) };
}
