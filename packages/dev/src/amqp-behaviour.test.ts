import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { AmqpFrames, encodeMethod, PROTOCOL_HEADER } from "@parapet/wire";
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type Options,
} from "amqplib";
import { eventually } from "parapet/testing";
import { startEmbeddedBroker } from "./embedded-broker.ts";

/** The servers that are to behave alike. */
const SERVERS: readonly (readonly [name: string, urlOf: (t: TestContext) => Promise<string | undefined>])[] = [
  ["the embedded broker", embedded],
  ["RabbitMQ", real],
];

async function embedded(t: TestContext): Promise<string> {
  const server = await startEmbeddedBroker();
  t.after(() => server.stop());
  return server.url;
}

/** A RabbitMQ; a run that has none has an embedded broker there. */
async function real(t: TestContext): Promise<string | undefined> {
  const url = process.env.AMQP_URL || "amqp://guest:guest@127.0.0.1:5672";
  const model = await connect(url);
  const { product } = model.connection.serverProperties;
  await model.close();
  if (product === "RabbitMQ") return url;
  t.skip("this run has no RabbitMQ");
  return undefined;
}

/** Connections and names of a test, gone after it. */
class Bench {
  readonly #url: string;
  readonly #t: TestContext;
  readonly #prefix = `amqp_${randomBytes(6).toString("hex")}`;
  readonly #queues: string[] = [];
  readonly #exchanges: string[] = [];

  constructor(t: TestContext, url: string) {
    this.#t = t;
    this.#url = url;
    t.after(() => this.#clean());
  }

  name(what: string): string {
    return `${this.#prefix}.${what}`;
  }

  async connect(): Promise<ChannelModel> {
    const model = await connect(this.#url);
    model.on("error", () => {});
    this.#t.after(() => model.close().catch(() => {}));
    return model;
  }

  async channel(): Promise<ConfirmChannel> {
    const channel = await (await this.connect()).createConfirmChannel();
    channel.on("error", () => {});
    return channel;
  }

  async queue(channel: Channel, what: string, args: object = {}, options: Options.AssertQueue = {}): Promise<string> {
    const name = this.name(what);
    this.#queues.push(name);
    await channel.assertQueue(name, { durable: true, ...options, arguments: args });
    return name;
  }

  async exchange(channel: Channel, what: string, type: string): Promise<string> {
    const name = this.name(what);
    this.#exchanges.push(name);
    await channel.assertExchange(name, type, { durable: true });
    return name;
  }

  async #clean(): Promise<void> {
    const model = await connect(this.#url).catch(() => undefined);
    if (model === undefined) return;
    const channel = await model.createChannel();
    for (const queue of this.#queues) await channel.deleteQueue(queue);
    for (const exchange of this.#exchanges) await channel.deleteExchange(exchange);
    await model.close();
  }
}

/** Publishes to a queue, and tells whether it was taken. */
function send(channel: ConfirmChannel, queue: string, text: string, options: Options.Publish = {}): Promise<boolean> {
  return new Promise((resolve) => {
    channel.publish("", queue, Buffer.from(text), { persistent: true, ...options }, (error) => resolve(!error));
  });
}

/** Takes a queue's messages, and keeps what came. */
async function take(channel: Channel, queue: string, options: Options.Consume = {}) {
  const messages: ConsumeMessage[] = [];
  let isCanceled = false;
  const { consumerTag } = await channel.consume(
    queue,
    (message) => {
      if (message === null) isCanceled = true;
      else messages.push(message);
    },
    options,
  );
  const texts = () => messages.map(({ content }) => content.toString());
  return { consumerTag, messages, texts, isCanceled: () => isCanceled };
}

/** The code that a channel is closed with when this is done on it. */
async function refusal(channel: Channel, ask: (channel: Channel) => unknown): Promise<{ code: number; text: string }> {
  const failed = once(channel, "error") as Promise<[Error & { code: number }]>;
  await Promise.resolve(ask(channel)).catch(() => {});
  const [error] = await failed;
  return { code: error.code, text: error.message };
}

const QUORUM = { "x-queue-type": "quorum" };

for (const [server, urlOf] of SERVERS) {
  const behaviour = (title: string, prove: (bench: Bench) => Promise<void>) =>
    test(`${server}: ${title}`, async (t) => {
      const url = await urlOf(t);
      if (url !== undefined) await prove(new Bench(t, url));
    });

  behaviour("what no queue takes is returned before it is confirmed, when it is mandatory", async (bench) => {
    const channel = await bench.channel();
    const events: string[] = [];
    channel.on("return", ({ fields, properties }) => {
      events.push(`return ${(fields as unknown as { replyCode: number }).replyCode} ${properties.messageId}`);
    });
    const nowhere = bench.name("nowhere");
    for (const mandatory of [true, false]) {
      await send(channel, nowhere, "x", { mandatory, messageId: "m" });
      events.push("confirm");
    }
    assert.deepEqual(events, ["return 312 m", "confirm", "confirm"]);
  });

  behaviour("a publish to an exchange that is not there closes its channel, and no other", async (bench) => {
    const model = await bench.connect();
    const [bad, good] = [await model.createChannel(), await model.createChannel()];
    const { code, text } = await refusal(bad, () => bad.publish(bench.name("nowhere"), "", Buffer.from("x")));
    assert.equal(code, 404);
    assert.match(text, /NOT_FOUND - no exchange '.*nowhere' in vhost '\/'/);
    await good.checkExchange("amq.topic");
  });

  behaviour("a declaration is refused that differs, that only looks, or that takes a reserved name", async (bench) => {
    const model = await bench.connect();
    const ask = async (ask: (channel: Channel) => unknown) => refusal(await model.createChannel(), ask);
    const queue = await bench.queue(await model.createChannel(), "q", { "x-message-ttl": 1000 });
    const other = await ask((channel) =>
      channel.assertQueue(queue, { durable: true, arguments: { "x-message-ttl": 500 } }),
    );
    assert.equal(other.code, 406);
    assert.match(
      other.text,
      /inequivalent arg 'x-message-ttl' for queue '.*q' in vhost '\/'.*received '500' but current is '1000'/,
    );
    const exchange = await bench.exchange(await model.createChannel(), "e", "topic");
    assert.equal((await ask((channel) => channel.assertExchange(exchange, "direct", { durable: true }))).code, 406);
    assert.equal((await ask((channel) => channel.checkQueue(bench.name("nowhere")))).code, 404);
    assert.equal((await ask((channel) => channel.checkExchange(bench.name("nowhere")))).code, 404);
    assert.equal((await ask((channel) => channel.assertQueue("amq.mine"))).code, 403);
    assert.equal((await ask((channel) => channel.bindQueue(queue, bench.name("nowhere"), "x"))).code, 404);
    const transient = { durable: false, arguments: QUORUM };
    assert.equal((await ask((channel) => channel.assertQueue(bench.name("t"), transient))).code, 406);
  });

  behaviour("a topic exchange takes a star for one word and a hash for any number", async (bench) => {
    const channel = await bench.channel();
    const exchange = await bench.exchange(channel, "e", "topic");
    const patterns = ["a.*", "a.#", "#.c", "a.*.c", "#"];
    const queues = await Promise.all(patterns.map((pattern) => bench.queue(channel, pattern)));
    for (const [at, queue] of queues.entries()) await channel.bindQueue(queue, exchange, patterns[at] ?? "");
    const reached = async (key: string) => {
      channel.publish(exchange, key, Buffer.from(key));
      await channel.waitForConfirms();
      const got = await Promise.all(queues.map((queue) => channel.get(queue, { noAck: true })));
      return patterns.filter((_, at) => got[at] !== false);
    };
    assert.deepEqual(await reached("a"), ["a.#", "#"]);
    assert.deepEqual(await reached("a.b"), ["a.*", "a.#", "#"]);
    assert.deepEqual(await reached("a.b.c"), ["a.#", "#.c", "a.*.c", "#"]);
    assert.deepEqual(await reached("c"), ["#.c", "#"]);
    assert.deepEqual(await reached("x"), ["#"]);
  });

  behaviour("a queue that is bound twice gets a message once, and none once it is unbound", async (bench) => {
    const channel = await bench.channel();
    const exchange = await bench.exchange(channel, "e", "topic");
    const queue = await bench.queue(channel, "q");
    for (const pattern of ["a.*", "*.b"]) await channel.bindQueue(queue, exchange, pattern);
    channel.publish(exchange, "a.b", Buffer.from("x"));
    await channel.waitForConfirms();
    assert.equal((await channel.checkQueue(queue)).messageCount, 1);
    for (const pattern of ["a.*", "*.b"]) await channel.unbindQueue(queue, exchange, pattern);
    channel.publish(exchange, "a.b", Buffer.from("x"));
    await channel.waitForConfirms();
    assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  });

  behaviour("what is too old goes where dead letters go, with what happened to it", async (bench) => {
    const channel = await bench.channel();
    const main = await bench.queue(channel, "main", QUORUM);
    const waiting = await bench.queue(channel, "waiting", {
      ...QUORUM,
      "x-message-ttl": 100,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": main,
      "x-dead-letter-strategy": "at-least-once",
      "x-overflow": "reject-publish",
    });
    const { messages } = await take(channel, main, { noAck: true });
    await send(channel, waiting, "x", { messageId: "m", type: "t", headers: { mine: "kept", n: 7 } });
    await eventually(() => messages.length === 1);
    const [{ properties, fields } = assert.fail()] = messages;
    assert.deepEqual([properties.messageId, properties.type, fields.routingKey], ["m", "t", main]);
    const { "x-death": deaths, ...headers } = properties.headers as Record<string, unknown>;
    assert.deepEqual(headers, {
      mine: "kept",
      n: 7,
      "x-first-death-exchange": "",
      "x-first-death-queue": waiting,
      "x-first-death-reason": "expired",
    });
    const [{ time: _time, ...death } = assert.fail()] = deaths as Record<string, unknown>[];
    assert.deepEqual(death, { count: 1, exchange: "", queue: waiting, reason: "expired", "routing-keys": [waiting] });
  });

  behaviour("what is rejected goes where dead letters go, and else nowhere", async (bench) => {
    const channel = await bench.channel();
    const dead = await bench.queue(channel, "dead");
    const queue = await bench.queue(channel, "q", { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead });
    const other = await bench.queue(channel, "other");
    for (const name of [queue, other]) {
      await send(channel, name, name);
      const message = await channel.get(name);
      assert.ok(message);
      channel.reject(message, false);
    }
    const { messages, texts } = await take(channel, dead, { noAck: true });
    await eventually(() => messages.length === 1);
    assert.deepEqual(texts(), [queue]);
    assert.equal(messages[0]?.properties.headers?.["x-first-death-reason"], "rejected");
    assert.equal((await channel.checkQueue(other)).messageCount, 0);
  });

  behaviour("a quorum queue counts returns, and gives a message up beyond its limit", async (bench) => {
    const channel = await bench.channel();
    const dead = await bench.queue(channel, "dead");
    const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
    const queue = await bench.queue(channel, "q", { ...QUORUM, ...letters, "x-delivery-limit": 2 });
    const counts: unknown[] = [];
    await channel.consume(queue, (message) => {
      counts.push(message?.properties.headers?.["x-delivery-count"]);
      if (message !== null) channel.nack(message, false, true);
    });
    const { messages } = await take(channel, dead, { noAck: true });
    await send(channel, queue, "x");
    await eventually(() => messages.length === 1);
    assert.deepEqual(counts, [undefined, 1, 2]);
    assert.equal(messages[0]?.properties.headers?.["x-first-death-reason"], "delivery_limit");
  });

  behaviour("a full queue refuses, or drops its oldest", async (bench) => {
    const channel = await bench.channel();
    const refusing = await bench.queue(channel, "refusing", { "x-max-length": 1, "x-overflow": "reject-publish" });
    assert.deepEqual([await send(channel, refusing, "1"), await send(channel, refusing, "2")], [true, false]);
    await channel.purgeQueue(refusing);
    assert.equal(await send(channel, refusing, "3"), true);
    const dropping = await bench.queue(channel, "dropping", { "x-max-length": 1 });
    for (const text of ["1", "2", "3"]) assert.equal(await send(channel, dropping, text), true);
    const { texts } = await take(channel, dropping, { noAck: true });
    await eventually(() => texts().length === 1);
    assert.deepEqual(texts(), ["3"]);
  });

  behaviour("no more are delivered than were asked for, in their order", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q", QUORUM);
    for (let n = 0; n < 6; n++) await send(channel, queue, String(n));
    await channel.prefetch(2);
    const { messages, texts } = await take(channel, queue);
    await eventually(() => messages.length === 2);
    await channel.checkQueue(queue);
    assert.deepEqual(texts(), ["0", "1"]);
    channel.ack(messages[1] as ConsumeMessage, true);
    await eventually(() => messages.length === 4);
    assert.deepEqual(texts(), ["0", "1", "2", "3"]);
  });

  behaviour("what is given back comes again before what came later, and says so", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q");
    for (const text of ["0", "1", "2"]) await send(channel, queue, text);
    const [first, second] = [await channel.get(queue), await channel.get(queue)];
    assert.ok(first && second && !first.fields.redelivered);
    channel.nack(second, true, true);
    const { texts, messages } = await take(channel, queue, { noAck: true });
    await eventually(() => messages.length === 3);
    assert.deepEqual(texts(), ["0", "1", "2"]);
    assert.deepEqual(
      messages.map(({ fields }) => fields.redelivered),
      [true, true, false],
    );
  });

  // In which order, RabbitMQ does not promise.
  behaviour("what is given back to a quorum queue comes again, and says so", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q", QUORUM);
    for (const text of ["0", "1", "2"]) await send(channel, queue, text);
    const [first, second] = [await channel.get(queue), await channel.get(queue)];
    assert.ok(first && second && !first.fields.redelivered);
    channel.nack(second, true, true);
    const { messages } = await take(channel, queue, { noAck: true });
    await eventually(() => messages.length === 3);
    const seen = messages.map(({ content, fields }) => `${content} ${fields.redelivered}`);
    assert.deepEqual(seen.toSorted(), ["0 true", "1 true", "2 false"]);
  });

  behaviour("what a lost connection had is delivered to another", async (bench) => {
    const model = await bench.connect();
    const [lost, kept] = [await model.createChannel(), await bench.channel()];
    const queue = await bench.queue(kept, "q", QUORUM);
    await send(kept, queue, "x");
    const { messages } = await take(lost, queue);
    await eventually(() => messages.length === 1);
    (model.connection as unknown as { stream: Socket }).stream.destroy(new Error("the connection was cut"));
    const again = await take(kept, queue, { noAck: true });
    await eventually(() => again.messages.length === 1);
    assert.equal(again.messages[0]?.fields.redelivered, true);
  });

  behaviour("who takes from a queue that is deleted is told, and its channel lives", async (bench) => {
    const [channel, other] = [await bench.channel(), await bench.channel()];
    const queue = await bench.queue(channel, "q", QUORUM);
    const taker = await take(channel, queue);
    await other.deleteQueue(queue);
    await eventually(taker.isCanceled);
    await bench.queue(channel, "another");
    assert.equal((await channel.deleteQueue(bench.name("nowhere"))).messageCount, 0);
  });

  behaviour("a canceled consumer gets nothing more, and may settle what it has", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q");
    const { consumerTag, messages } = await take(channel, queue);
    await send(channel, queue, "1");
    await eventually(() => messages.length === 1);
    await channel.cancel(consumerTag);
    await send(channel, queue, "2");
    channel.ack(messages[0] as ConsumeMessage);
    assert.equal((await channel.checkQueue(queue)).messageCount, 1);
    assert.equal(messages.length, 1);
  });

  behaviour("of several consumers of a queue with a single active one the next takes over", async (bench) => {
    const [one, other] = [await bench.channel(), await bench.channel()];
    const queue = await bench.queue(one, "q", { ...QUORUM, "x-single-active-consumer": true });
    const [first, second] = [await take(one, queue, { noAck: true }), await take(other, queue, { noAck: true })];
    for (const text of ["1", "2"]) await send(one, queue, text);
    await eventually(() => first.messages.length === 2);
    await one.cancel(first.consumerTag);
    await send(one, queue, "3");
    await eventually(() => second.messages.length === 1);
    assert.deepEqual([first.texts(), second.texts()], [["1", "2"], ["3"]]);
  });

  behaviour("a tag that was settled, or never was, closes the channel", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q");
    await send(channel, queue, "x");
    const message = await channel.get(queue);
    assert.ok(message);
    const { code, text } = await refusal(channel, () => {
      channel.ack(message);
      channel.ack(message);
    });
    assert.equal(code, 406);
    assert.match(text, /unknown delivery tag 1/);
  });

  behaviour("an exclusive queue is its connection's alone, and goes with it", async (bench) => {
    const [mine, other] = [await bench.connect(), await bench.connect()];
    const channel = await mine.createChannel();
    const { queue } = await channel.assertQueue("", { exclusive: true });
    assert.match(queue, /^amq\.gen-/);
    const ask = async (ask: (channel: Channel) => unknown) => refusal(await other.createChannel(), ask);
    assert.equal((await ask((channel) => channel.checkQueue(queue))).code, 405);
    await mine.close();
    await eventually(async () => (await ask((channel) => channel.checkQueue(queue))).code === 404);
  });

  behaviour("an auto-delete queue goes with the last who takes from it", async (bench) => {
    const [channel, other] = [await bench.channel(), await bench.channel()];
    const queue = await bench.queue(channel, "q", {}, { autoDelete: true });
    const { consumerTag } = await take(channel, queue);
    await channel.cancel(consumerTag);
    assert.equal((await refusal(other, (channel) => channel.checkQueue(queue))).code, 404);
  });

  behaviour("messages can be fetched, counted and purged", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q");
    for (const text of ["1", "2", "3"]) await send(channel, queue, text);
    const message = await channel.get(queue);
    assert.ok(message);
    assert.deepEqual([message.content.toString(), message.fields.messageCount], ["1", 2]);
    assert.equal((await channel.purgeQueue(queue)).messageCount, 2);
    assert.equal(await channel.get(queue), false);
    await channel.recover();
    await eventually(async () => (await channel.checkQueue(queue)).messageCount === 1);
  });

  behaviour("a body of a megabyte arrives whole, and an empty one too", async (bench) => {
    const channel = await bench.channel();
    const queue = await bench.queue(channel, "q");
    const { messages, texts } = await take(channel, queue, { noAck: true });
    await send(channel, queue, "x".repeat(2 ** 20));
    await send(channel, queue, "");
    await eventually(() => messages.length === 2);
    assert.deepEqual(
      texts().map(({ length }) => length),
      [2 ** 20, 0],
    );
  });

  behaviour("who is not let in hears so", async (bench) => {
    const url = new URL(await bench.connect().then((model) => urlOfModel(model)));
    url.password = "wrong";
    await assert.rejects(connect(url.href), /403|ACCESS_REFUSED/);
    url.password = "guest";
    url.pathname = "/nowhere";
    // The driver drops the reason: NOT_ALLOWED.
    await assert.rejects(connect(url.href), /ConnectionClose/);
  });
}

function urlOfModel(model: ChannelModel): string {
  const { remotePort } = (model.connection as unknown as { stream: Socket }).stream;
  return `amqp://guest:guest@127.0.0.1:${remotePort}`;
}

// What RabbitMQ does and the embedded broker does not.
for (const [what, ask] of [
  ["headers exchanges", (channel) => channel.assertExchange("e", "headers")],
  ["alternate exchanges", (channel) => channel.assertExchange("e", "topic", { alternateExchange: "f" })],
  ["bindings between exchanges", (channel) => channel.bindExchange("amq.topic", "amq.direct", "x")],
  ["streams", (channel) => channel.assertQueue("q", { durable: true, arguments: { "x-queue-type": "stream" } })],
  ["priorities", (channel) => channel.assertQueue("q", { maxPriority: 3 })],
  ["queues that expire", (channel) => channel.assertQueue("q", { expires: 1000 })],
  ["prefetch of a channel", (channel) => channel.prefetch(1, true)],
] as readonly (readonly [string, (channel: Channel) => unknown])[]) {
  test(`the embedded broker has no ${what}, and says so`, async (t) => {
    const model = await connect(await embedded(t));
    const channel = await model.createChannel();
    channel.on("error", () => {});
    const failed = once(model, "error") as Promise<[Error]>;
    await Promise.resolve(ask(channel)).catch(() => {});
    assert.match((await failed)[0].message, /540.*NOT_IMPLEMENTED - the embedded broker has no/);
  });
}

/** A socket to it, and what it says. */
async function raw(t: TestContext) {
  const { hostname, port } = new URL(await embedded(t));
  const socket = connectSocket(Number(port), hostname);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  const frames = new AmqpFrames("server");
  const names: string[] = [];
  socket.on("data", (bytes) => {
    frames.receive(bytes);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) names.push(frame.name);
  });
  const closed = once(socket, "close");
  return { socket, names, closed };
}

test("the embedded broker answers another protocol with its own header, and ends", async (t) => {
  const { hostname, port } = new URL(await embedded(t));
  const socket = connectSocket(Number(port), hostname);
  socket.write("GET / HTTP/1.1\r\n\r\n");
  const chunks: Buffer[] = [];
  socket.on("data", (bytes) => chunks.push(bytes));
  await once(socket, "close");
  assert.deepEqual(Buffer.concat(chunks), PROTOCOL_HEADER);
});

test("the embedded broker ends a connection that says what makes no sense, and serves the others", async (t) => {
  const { socket, names, closed } = await raw(t);
  socket.write(PROTOCOL_HEADER);
  await eventually(() => names.length === 1);
  socket.write(Buffer.from([9, 9, 9, 0, 0, 0, 1, 1, 1]));
  await eventually(() => names.length === 2);
  assert.deepEqual(names, ["connection.start", "connection.close"]);
  socket.write(encodeMethod(0, "connection.close-ok", {}));
  await closed;
});

test("the embedded broker lets go of a client that is silent for two heartbeats", async (t) => {
  const { socket, names, closed } = await raw(t);
  socket.write(PROTOCOL_HEADER);
  await eventually(() => names.length === 1);
  const login = { clientProperties: {}, mechanism: "PLAIN", response: "\0guest\0guest", locale: "en_US" };
  socket.write(encodeMethod(0, "connection.start-ok", login));
  socket.write(encodeMethod(0, "connection.tune-ok", { channelMax: 0, frameMax: 0, heartbeat: 1 }));
  socket.write(encodeMethod(0, "connection.open", { virtualHost: "/", capabilities: "", insist: false }));
  const silentAt = performance.now();
  await closed;
  const tookMs = performance.now() - silentAt;
  assert.ok(tookMs > 1900 && tookMs < 5000, `${tookMs} ms`);
  assert.ok(names.includes("heartbeat"));
});

test("the embedded broker that is stopped tells its clients, and frees its port", async () => {
  const server = await startEmbeddedBroker();
  const model = await connect(server.url);
  const closed = once(model, "close") as Promise<[Error]>;
  await server.stop();
  assert.match((await closed)[0].message, /CONNECTION_FORCED|320/);
  const again = await startEmbeddedBroker({ port: Number(new URL(server.url).port) });
  await assert.rejects(startEmbeddedBroker({ port: Number(new URL(again.url).port) }), /can't listen/);
  await again.stop();
});
