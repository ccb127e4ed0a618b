import { randomBytes } from "node:crypto";
import { type ChannelModel, connect } from "amqplib";
import { AppError } from "../errors/index.ts";
import { parkedDeliveries, queuesOf } from "../messaging/index.ts";
import { testContext } from "./test-context.ts";
import type { TestScope } from "./test-scope.ts";

export interface RabbitSandbox {
  readonly url: string;
  /** A name that no other test has, for a group; its queues are deleted after the test. */
  group(): string;
  /** Has the queues of a group deleted after the test. */
  using(group: string): void;
  /** What a group has parked, oldest first; it stays parked. */
  parked(group: string): Promise<readonly ParkedEntry[]>;
  /** A channel to do anything else by. */
  readonly channel: RabbitChannel;
}

/** A message as it lies in a queue. */
export interface RabbitMessage {
  readonly content: Buffer;
  readonly fields: { readonly routingKey: string };
  readonly properties: {
    readonly messageId?: unknown;
    readonly headers?: Readonly<Record<string, unknown>> | undefined;
  };
}

/** What a test does to queues beside the code that it tests. */
export interface RabbitChannel {
  assertQueue(name: string, options?: object): Promise<{ readonly queue: string }>;
  checkQueue(name: string): Promise<{ readonly messageCount: number; readonly consumerCount: number }>;
  bindQueue(queue: string, exchange: string, pattern: string): Promise<unknown>;
  unbindQueue(queue: string, exchange: string, pattern: string): Promise<unknown>;
  purgeQueue(name: string): Promise<unknown>;
  deleteQueue(name: string): Promise<unknown>;
  assertExchange(name: string, type: string, options?: object): Promise<unknown>;
  /** The next message, which is gone with that; false when there is none. */
  get(queue: string, options: { readonly noAck: true }): Promise<RabbitMessage | false>;
  /** Without a message when the broker canceled it. */
  consume(
    queue: string,
    onMessage: (message: RabbitMessage | null) => void,
    options: { readonly noAck: true },
  ): Promise<unknown>;
  sendToQueue(queue: string, content: Buffer, properties?: object): unknown;
}

export interface ParkedEntry {
  readonly id: string;
  readonly error: string;
}

const DEFAULT_SERVER = "amqp://guest:guest@127.0.0.1:5672";

export interface RabbitSandboxOptions {
  /** Of the server; that of `AMQP_URL`, or 127.0.0.1:5672, unless said. */
  readonly url?: string;
}

/**
 * Names of its own on a broker, whose queues are deleted after the test, if the broker has not gone in the meantime. Others use the
 * server of the run too: a test that stops or fills it starts one of its own.
 */
export async function rabbitSandbox(
  t: TestScope,
  { url = process.env.AMQP_URL || DEFAULT_SERVER }: RabbitSandboxOptions = {},
): Promise<RabbitSandbox> {
  const model = await open(url);
  let isOpen = true;
  model.once("close", () => {
    isOpen = false;
  });
  const channel = await model.createChannel();
  const groups = new Set<string>();
  t.after(async () => {
    try {
      const another = await model.createChannel();
      for (const queue of [...groups].flatMap(namesOf)) await another.deleteQueue(queue);
      await model.close();
    } catch (thrown) {
      // Where the broker has gone, its queues have too.
      if (isOpen) throw thrown;
    }
  });
  const using = (group: string): void => void groups.add(group);
  return {
    url,
    channel,
    using,
    group: () => {
      const group = `test_${randomBytes(6).toString("hex")}`;
      using(group);
      return group;
    },
    parked: (group) => parkedIn(url, group),
  };
}

async function open(url: string): Promise<ChannelModel> {
  try {
    const model = await connect(url);
    model.on("error", () => {});
    return model;
  } catch (cause) {
    throw new AppError(
      "unavailable",
      "tests need a rabbitmq, and none answers: start one on 127.0.0.1:5672, or set AMQP_URL",
      { cause },
    );
  }
}

async function parkedIn(url: string, group: string): Promise<readonly ParkedEntry[]> {
  const entries: ParkedEntry[] = [];
  for await (const { message, error } of parkedDeliveries(testContext(), { url, group }))
    entries.push({ id: String(message.id), error });
  return entries;
}

function namesOf(group: string): string[] {
  const { main, retries, parking } = queuesOf(group);
  return [main, ...retries, parking];
}
