import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { Type } from "typebox";
import { event } from "../contract/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually, testContext } from "../testing/index.ts";
import { type Broker, RETRY_PAUSES_MS, type SubscriptionOptions } from "./broker.ts";
import { type ConsumerOptions, createConsumer, type StartMarks } from "./consumer.ts";
import { type EventHandler, type EventInput, on } from "./event-handler.ts";
import { createMemoryBroker } from "./memory-broker.ts";
import type { Message } from "./message.ts";

const thingMade = event("bench.thing.made.v1", Type.Object({ n: Type.Integer() }));
type Made = EventInput<typeof thingMade>;

const DATA = { n: 1 };

function message(of: Partial<Omit<Message, "data">> & { readonly data?: unknown } = {}): Message {
  const { data = DATA, ...attributes } = of;
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(JSON.stringify(data));
  const base = { id: "id-1", type: thingMade.type, source: "bench", key: "key-1", time: new Date(0), headers: {} };
  return { ...base, ...attributes, data: bytes };
}

/** A handler that takes its promise, and does no more. */
const takes = async (_ctx: unknown, { once }: Made): Promise<void> => void once.take();

async function bench(t: TestContext, options: Partial<ConsumerOptions> & { handle?: EventHandler["handle"] } = {}) {
  const { handle = takes as EventHandler["handle"], ...rest } = options;
  const ctx = testContext();
  const [broker, registry] = [createMemoryBroker(), createRegistry()];
  const consumer = createConsumer({
    from: broker,
    group: "bench",
    handlers: [on(thingMade, handle as never)],
    log: ctx.log,
    metrics: registry,
    ...rest,
  });
  await consumer.start(ctx);
  t.after(async () => {
    await consumer.stop(testContext());
    await broker.stop(testContext());
  });
  const results = async (): Promise<string[]> =>
    (await registry.text()).split("\n").filter((line) => line.startsWith("messages_consumed_total"));
  return { ctx, broker, consumer, results };
}

test("a handler gets what was published, as its contract has it, and what is published under its name", async (t) => {
  const inputs: Made[] = [];
  const { broker, ctx, results } = await bench(t, {
    handle: async (_, input) => {
      input.once.take();
      inputs.push(input as Made);
    },
  });
  await broker.publish(ctx, message({ data: { n: 1, newer: true } }));
  await eventually(async () => (await results()).length === 1);
  const [{ data, id, key, time } = assert.fail()] = inputs;
  assert.deepEqual(
    { data, id, key, time },
    { data: { n: 1, newer: true }, id: "id-1", key: "key-1", time: new Date(0) },
  );
  assert.deepEqual(await results(), [
    'messages_consumed_total{group="bench",type="bench.thing.made.v1",result="done"} 1',
  ]);
});

for (const [what, sent, error] of [
  ["breaks its contract", { data: { n: "hush" } }, "invalid: a message breaks its contract"],
  ["is not JSON", { data: Buffer.from("{") }, "invalid: a message is not JSON"],
  ["is not UTF-8", { data: Buffer.from([0x22, 0xff, 0x22]) }, "invalid: a message is not JSON"],
  ["has too long an id", { id: "x".repeat(256) }, "invalid: a message needs an id of at most 255 characters"],
] as const) {
  test(`E10: a message that ${what} is parked, its handler hears nothing of it, and the next one is handled`, async (t) => {
    const handled: string[] = [];
    const { broker, ctx } = await bench(t, {
      handle: async (_, { id, once }) => {
        once.take();
        handled.push(id);
      },
    });
    await broker.publish(ctx, message(sent));
    await broker.publish(ctx, message({ id: "id-2" }));
    await eventually(() => handled.length === 1 && broker.parked("bench").length === 1);
    assert.deepEqual(handled, ["id-2"]);
    assert.equal(broker.parked("bench")[0]?.error, error);
    assert.ok(ctx.lines.every((line) => !JSON.stringify(line).includes("hush")));
  });
}

for (const code of ["invalid", "forbidden", "unauthenticated"] as const) {
  test(`what a handler refuses as ${code} is parked at once`, async (t) => {
    const { broker, ctx, results } = await bench(t, {
      handle: async () => {
        throw new AppError(code, "never");
      },
    });
    await broker.publish(ctx, message());
    await eventually(() => broker.parked("bench").length === 1);
    assert.equal(broker.parked("bench")[0]?.error, `${code}: never`);
    assert.match((await results()).join(), /result="parked"} 1/);
  });
}

test("what fails otherwise comes again, and what nobody understands is logged as our mistake", async (t) => {
  const failures: unknown[] = [new TypeError("oops"), new AppError("unavailable", "not now")];
  const handled: string[] = [];
  const { broker, ctx } = await bench(t, {
    handle: async (_, { id, once }) => {
      const failure = failures.pop();
      if (failure !== undefined && id !== "id-3") throw failure;
      once.take();
      handled.push(id);
    },
  });
  for (const id of ["id-1", "id-2"]) await broker.publish(ctx, message({ id, key: id }));
  await eventually(() => handled.length === 2, 5000);
  const failed = ctx.lines.filter(({ msg }) => msg === "handling a message failed");
  assert.deepEqual(failed.map(({ level, message_id }) => `${level} ${message_id}`).toSorted(), [
    "error id-2",
    "warn id-1",
  ]);
  assert.deepEqual(broker.parked("bench"), []);
});

test("a message whose effect there was is a duplicate", async (t) => {
  const seen = new Set<string>();
  const { broker, ctx, results } = await bench(t, {
    handle: async (_, { once }) => {
      const claim = JSON.stringify(once.take());
      if (seen.has(claim)) once.replay("");
      seen.add(claim);
    },
  });
  for (const id of ["id-1", "id-2", "id-1"]) await broker.publish(ctx, message({ id }));
  await eventually(async () => (await results()).length === 2);
  assert.deepEqual((await results()).map((line) => line.replace(/^.*,/, "")).toSorted(), [
    'result="done"} 2',
    'result="duplicate"} 1',
  ]);
});

test("a handler that leaves its promise is our mistake, and not done", async (t) => {
  const { broker, ctx, results } = await bench(t, { handle: async () => {} });
  await broker.publish(ctx, message());
  await eventually(async () => (await results()).length === 1);
  assert.match((await results()).join(), /result="retried"} 1/);
  assert.ok(ctx.lines.some(({ msg, level }) => level === "error" && msg === "handling a message failed"));
});

test("E14: a handler has its time, and its context ends with it", async (t) => {
  const ended: unknown[] = [];
  const { broker, ctx } = await bench(t, {
    timeoutMs: 30,
    handle: (ctx) => new Promise((_, reject) => ctx.onDone((reason) => reject(ended.push(reason) && reason))),
  });
  await broker.publish(ctx, message());
  await eventually(() => ended.length === 1);
  assert.ok(hasCode(ended[0], "timeout"));
});

test("messages of one key are handled one after the other, those of others beside them", async (t) => {
  const order: string[] = [];
  const release: (() => void)[] = [];
  const { broker, ctx } = await bench(t, {
    handle: async (_, { id, once }) => {
      once.take();
      order.push(`${id} begins`);
      await new Promise<void>((resolve) => release.push(resolve));
      order.push(`${id} ends`);
    },
  });
  for (const [id, key] of [
    ["id-1", "a"],
    ["id-2", "a"],
    ["id-3", "b"],
  ] as const)
    await broker.publish(ctx, message({ id, key }));
  await eventually(() => release.length === 2);
  assert.deepEqual(order, ["id-1 begins", "id-3 begins"]);
  release[0]?.();
  await eventually(() => release.length === 3);
  assert.deepEqual(order.slice(2), ["id-1 ends", "id-2 begins"]);
  for (const resolve of release) resolve();
});

test("one that drains ends what it has begun, and gives back the rest", async (t) => {
  const release: (() => void)[] = [];
  const { broker, consumer, ctx, results } = await bench(t, {
    handle: async (_, { once }) => {
      once.take();
      await new Promise<void>((resolve) => release.push(resolve));
    },
  });
  for (const id of ["id-1", "id-2"]) await broker.publish(ctx, message({ id }));
  await eventually(() => release.length === 1);
  const drained = consumer.drain?.(ctx);
  release[0]?.();
  await drained;
  assert.deepEqual(await consumer.stop(ctx), { messages: 0 });
  assert.deepEqual((await results()).map((line) => line.replace(/^.*,/, "")).toSorted(), [
    'result="done"} 1',
    'result="released"} 1',
  ]);
});

test("what is under way when it stops is aborted, and counted", async (t) => {
  const reasons: unknown[] = [];
  const begun: string[] = [];
  const { broker, consumer, ctx } = await bench(t, {
    handle: (ctx, { id }) => {
      begun.push(id);
      return new Promise((_, reject) => ctx.onDone((reason) => reject(reasons.push(reason) && reason)));
    },
  });
  await broker.publish(ctx, message());
  await eventually(() => begun.length === 1);
  assert.deepEqual(await consumer.stop(ctx), { messages: 1 });
  assert.equal(reasons.length, 1);
});

test("names of groups are fit for queues, and an event has one handler", () => {
  const options = { from: createMemoryBroker(), log: testContext().log, metrics: createRegistry() };
  for (const group of ["", "Orders", "a b", "9lives", "x".repeat(65)])
    assert.throws(() => createConsumer({ ...options, group, handlers: [] }), /snake case/);
  const handler = on(thingMade, takes);
  assert.throws(
    () => createConsumer({ ...options, group: "bench", handlers: [handler, handler] }),
    /an event has one handler/,
  );
});

/** A broker whose deliveries a test makes. */
function byHand() {
  let handle: SubscriptionOptions["handle"] = () => assert.fail("nobody subscribed");
  const subscription = { notTakingBecause: () => undefined, drain: async () => {}, stop: async () => 0 };
  const broker: Broker = {
    name: "broker",
    start: async () => {},
    stop: async () => undefined,
    publish: async () => {},
    notPublishingBecause: () => undefined,
    subscribe: (options) => {
      handle = options.handle;
      return subscription;
    },
  };
  const deliver = (of: Partial<Message> = {}, isRedelivered = true) =>
    handle({ message: message(of as never), failures: 0, isRedelivered });
  return { broker, deliver };
}

/** Marks as a database keeps them. */
function marks() {
  const starts = new Map<string, number>();
  const kept: StartMarks = {
    began: async (_ctx, consumer, id) => {
      const count = (starts.get(`${consumer} ${id}`) ?? 0) + 1;
      starts.set(`${consumer} ${id}`, count);
      return count;
    },
    ended: async (_ctx, consumer, id) => void starts.delete(`${consumer} ${id}`),
  };
  return { starts, kept };
}

test("a message that ended the process three times is parked unread", async (t) => {
  const { broker, deliver } = byHand();
  const { starts, kept } = marks();
  starts.set("bench id-1", 2);
  const handled: string[] = [];
  await bench(t, {
    from: broker,
    starts: kept,
    handle: async (_, { id, once }) => {
      once.take();
      handled.push(id);
    },
  });
  const verdict = await deliver();
  assert.deepEqual(verdict.kind, "park");
  assert.deepEqual(await deliver({ id: "id-2" }), { kind: "done" });
  assert.deepEqual(handled, ["id-2"]);
  assert.deepEqual([...starts.keys()], []);
});

test("only what was delivered before is marked, and what may have ended a process is handled alone", async (t) => {
  const { broker, deliver } = byHand();
  const { starts, kept } = marks();
  const release: (() => void)[] = [];
  await bench(t, {
    from: broker,
    starts: kept,
    handle: async (_, { once }) => {
      once.take();
      await new Promise<void>((resolve) => release.push(resolve));
    },
  });
  const first = deliver({ id: "fresh", key: "a" }, false);
  const suspects = ["id-1", "id-2"].map((id) => deliver({ id, key: id }));
  await eventually(() => release.length === 2);
  assert.deepEqual([...starts.keys()], ["bench id-1"]);
  release[1]?.();
  await eventually(() => release.length === 3);
  assert.deepEqual([...starts.keys()], ["bench id-2"]);
  for (const resolve of release) resolve();
  assert.deepEqual(await Promise.all([first, ...suspects]), Array(3).fill({ kind: "done" }));
});

test("without its marks a message that may have ended a process is not begun", async (t) => {
  const { broker, deliver } = byHand();
  const { kept } = marks();
  const handled: string[] = [];
  const began = () => Promise.reject(new AppError("unavailable", "the database is away"));
  await bench(t, { from: broker, starts: { ...kept, began }, handle: async (_, { id }) => void handled.push(id) });
  assert.deepEqual(await deliver(), { kind: "retry", error: "unavailable: the database is away" });
  assert.deepEqual(handled, []);
});

test("a mark that can't be removed changes nothing", async (t) => {
  const { broker, deliver } = byHand();
  const { kept } = marks();
  const ended = () => Promise.reject(new AppError("unavailable", "the database is away"));
  const { ctx } = await bench(t, { from: broker, starts: { ...kept, ended } });
  assert.deepEqual(await deliver(), { kind: "done" });
  assert.ok(ctx.lines.some(({ msg }) => msg === "the mark of a message's start was not removed"));
});

test("types that nobody here handles make no series", async (t) => {
  const { broker, deliver } = byHand();
  const { results } = await bench(t, { from: broker });
  assert.equal((await deliver({ type: "bench.thing.unknown.v1" })).kind, "park");
  assert.match((await results()).join(), /type="__other__",result="parked"} 1/);
});

/** Lets what is ready to run do so, timers aside. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("where order is kept what fails is tried again in its place after each pause, and parked after the last", async (t) => {
  const { broker, deliver } = byHand();
  const handled: string[] = [];
  await bench(t, {
    from: broker,
    ordered: true,
    handle: async (_, { id, once }) => {
      handled.push(id);
      if (id === "fails") throw new AppError("unavailable", "not now");
      once.take();
    },
  });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const verdicts = [
    deliver({ id: "fails", key: "a" }, false),
    deliver({ id: "behind", key: "a" }, false),
    deliver({ id: "beside", key: "b" }, false),
  ];
  await settle();
  assert.deepEqual(handled.splice(0), ["fails", "beside"]);
  for (const pauseMs of RETRY_PAUSES_MS) {
    t.mock.timers.tick(pauseMs - 1);
    await settle();
    assert.deepEqual(handled, []);
    t.mock.timers.tick(1);
    await settle();
    assert.equal(handled.shift(), "fails");
  }
  assert.deepEqual(handled, ["behind"]);
  assert.deepEqual(await Promise.all(verdicts), [
    { kind: "park", error: "unavailable: not now", failures: 6 },
    { kind: "done" },
    { kind: "done" },
  ]);
});

test("where order is kept what waits for another attempt, and what is behind it, go back when the consumer drains", async (t) => {
  const { broker, deliver } = byHand();
  const { consumer, ctx } = await bench(t, {
    from: broker,
    ordered: true,
    handle: () => Promise.reject(new AppError("unavailable", "not now")),
  });
  const verdicts = ["id-1", "id-2"].map((id) => deliver({ id }, false));
  await settle();
  await consumer.drain?.(ctx);
  assert.deepEqual(await Promise.all(verdicts), [{ kind: "release" }, { kind: "release" }]);
});

test("order is refused where a message could be kept for longer than RabbitMQ lets it be", () => {
  const options = { from: createMemoryBroker(), log: testContext().log, metrics: createRegistry(), handlers: [] };
  const create = (timeoutMs: number, ordered = true) =>
    createConsumer({ ...options, group: "bench", ordered, timeoutMs });
  create(174_000);
  create(174_001, false);
  assert.throws(() => create(174_001), /a consumer that keeps order has to give up sooner/);
});
