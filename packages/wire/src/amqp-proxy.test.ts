import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type TestContext, test } from "node:test";
import { type ConsumeMessage, connect } from "amqplib";
import { eventually } from "parapet/testing";
import { acknowledgement, confirm, delivery, publish } from "./amqp-matches.ts";
import { type AmqpProxy, createAmqpProxy } from "./amqp-proxy.ts";

const AMQP_URL = process.env.AMQP_URL || "amqp://guest:guest@127.0.0.1:5672";

async function open(t: TestContext, url: string) {
  const model = await connect(url);
  // A test that cuts the connection looks at what fails because of it.
  model.on("error", () => {});
  t.after(() => model.close().catch(() => {}));
  const channel = await model.createConfirmChannel();
  channel.on("error", () => {});
  return channel;
}

async function remove(queue: string): Promise<void> {
  const model = await connect(AMQP_URL);
  await (await model.createChannel()).deleteQueue(queue);
  await model.close();
}

/** A proxy, a channel behind it and one beside it, and a queue that is gone with the test. */
async function connected(t: TestContext) {
  const proxy = await createAmqpProxy(AMQP_URL);
  t.after(() => proxy.close());
  const direct = await open(t, AMQP_URL);
  const queue = `parapet_test_wire_${randomUUID()}`;
  await direct.assertQueue(queue, { durable: true });
  t.after(() => remove(queue));
  return { proxy, direct, queue, channel: await open(t, proxy.url) };
}

const send = (channel: Awaited<ReturnType<typeof open>>, queue: string, text: string) =>
  new Promise<boolean>((resolve) => {
    channel.sendToQueue(queue, Buffer.from(text), {}, (error) => resolve(!error));
  });

/** The names of the frames that pass. */
function names(proxy: AmqpProxy): string[] {
  const seen: string[] = [];
  proxy.onMessage(({ from, message }) => {
    if (message.name !== "heartbeat") seen.push(`${from} ${message.name}`);
  });
  return seen;
}

test("a client works through the proxy, and each frame is seen", async (t) => {
  const { proxy, channel, queue } = await connected(t);
  const seen = names(proxy);
  assert.equal(await send(channel, queue, "x"), true);
  const message = await channel.get(queue);
  assert.ok(message && message.content.toString() === "x");
  channel.ack(message);
  await eventually(() => seen.length === 9);
  assert.deepEqual(seen, [
    "client basic.publish",
    "client content-header",
    "client body",
    "server basic.ack",
    "client basic.get",
    "server basic.get-ok",
    "server content-header",
    "server body",
    "client basic.ack",
  ]);
});

test("a publish that is held does not arrive; a confirm that is held is of one that did", async (t) => {
  const { proxy, channel, direct, queue } = await connected(t);
  const confirmed = proxy.when(confirm, "hold");
  const first = send(channel, queue, "1");
  await confirmed.fired;
  assert.equal((await direct.checkQueue(queue)).messageCount, 1);
  const published = proxy.when(publish(queue), "hold");
  const second = send(channel, queue, "2");
  await published.fired;
  assert.equal((await direct.checkQueue(queue)).messageCount, 1);
  published.release();
  confirmed.release();
  assert.deepEqual(await Promise.all([first, second]), [true, true]);
});

test("a delivery and its acknowledgement can be told from others", async (t) => {
  const { proxy, channel, direct, queue } = await connected(t);
  const messages: ConsumeMessage[] = [];
  const delivered = proxy.when(delivery(queue));
  await channel.consume(queue, (message) => message && messages.push(message));
  await send(direct, queue, "x");
  await delivered.fired;
  await eventually(() => messages.length === 1);
  const acknowledged = proxy.when(acknowledgement, "cut");
  channel.ack(messages[0] as ConsumeMessage);
  await acknowledged.fired;
  // It was not heard: the broker has the message still.
  const again: ConsumeMessage[] = [];
  await direct.consume(queue, (message) => message && again.push(message), { noAck: true });
  await eventually(() => again.length === 1);
  assert.equal(again[0]?.fields.redelivered, true);
});
