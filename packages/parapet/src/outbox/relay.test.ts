import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { Type } from "typebox";
import type { Context } from "../context/index.ts";
import { event } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import type { Component } from "../lifecycle/index.ts";
import type { Broker, Message } from "../messaging/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { createDatabase, type Database, defineMigrations, row, sql } from "../postgres/index.ts";
import { eventually, faultProxy, postgresSandbox, seededRandom, testContext } from "../testing/index.ts";
import { measure } from "./backlog.ts";
import { appendToOutbox, createOutboxRelay, outboxRelaySchema, outboxSchema } from "./index.ts";
import { RelayInstruments } from "./relay-instruments.ts";

const migrations = defineMigrations([
  { id: "0001_outbox", sql: outboxSchema },
  { id: "0002_outbox_relay", sql: outboxRelaySchema },
]);
const opened = event("shop.order.opened.v1", Type.Object({ n: Type.Integer() }));

/** A broker that takes all, unless a test has it fail. */
class BenchBroker implements Broker {
  readonly name = "broker";
  /** What was taken, in its order. */
  readonly taken: Message[] = [];
  /** What is to be thrown for a message. */
  refuse: (message: Message) => Error | undefined = () => undefined;
  /** Why it is away. */
  away: string | undefined;
  /** When to confirm. */
  confirm: () => Promise<unknown> = () => Promise.resolve();

  async start(): Promise<void> {}

  async stop(): Promise<undefined> {}

  notPublishingBecause(): string | undefined {
    return this.away;
  }

  async publish(ctx: Context, message: Message): Promise<void> {
    ctx.throwIfDone();
    if (this.away !== undefined) throw new AppError("unavailable", this.away);
    const refusal = this.refuse(message);
    if (refusal !== undefined) throw refusal;
    await this.confirm();
    this.taken.push(message);
  }

  subscribe(): never {
    throw new AppError("internal", "nobody subscribes here");
  }

  /** The numbers that the messages of a key carry, in the order of the first of each. */
  numbersOf(key: string): number[] {
    const numbers = this.taken.filter((message) => message.key === key).map(numberOf);
    return [...new Set(numbers)];
  }
}

function numberOf({ data }: Message): number {
  return (JSON.parse(data.toString()) as { readonly n: number }).n;
}

async function outboxOf(t: TestContext) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const broker = new BenchBroker();
  const append = (key: string, n: number) =>
    database.transaction(ctx, async (tx) => appendToOutbox(tx, { event: opened, key, data: { n } }));
  const relay = async (from: Database = database) => {
    const registry = createRegistry();
    const started = createOutboxRelay({ from, to: broker, log: ctx.log, metrics: registry });
    t.after(() => started.stop(testContext()).then(() => {}));
    await started.start(ctx);
    const series = async (name: string) =>
      (await registry.text())
        .split("\n")
        .find((line) => line.startsWith(name))
        ?.replace(/^.* /, "");
    return Object.assign(started as Component, { series });
  };
  const Waiting = row({ n: "int4" });
  const waiting = async () =>
    (await database.query(ctx, sql(Waiting)`select count(*)::int4 as n from outbox`))[0]?.n ?? 0;
  return { ctx, url, database, broker, append, relay, waiting };
}

test("an event is published soon after its commit, as it was left, and is gone from the outbox", async (t) => {
  const { broker, append, relay, waiting } = await outboxOf(t);
  await append("before", 0);
  const { series } = await relay();
  await eventually(() => broker.taken.length === 1);
  await append("after", 1);
  await eventually(async () => broker.taken.length === 2 && (await waiting()) === 0);
  const [, second = assert.fail()] = broker.taken;
  assert.deepEqual(
    [second.type, second.source, second.key, second.data.toString(), second.headers],
    ["shop.order.opened.v1", "shop", "after", '{"n":1}', {}],
  );
  assert.match(second.id, /^[0-9a-f-]{36}$/);
  assert.ok(Math.abs(second.time.getTime() - Date.now()) < 60_000);
  assert.equal(await series('outbox_publish_total{result="ok"}'), "2");
  assert.equal(await series("outbox_lanes"), "16");
});

test("what another process leaves is found without a word from it", async (t) => {
  const { broker, relay, database, ctx } = await outboxOf(t);
  const { series } = await relay();
  await eventually(async () => (await series("outbox_lanes")) === "16");
  await database.execute(
    ctx,
    sql`
      insert into outbox (id, aggregatetype, aggregateid, type, headers, payload, lane)
      values (gen_random_uuid(), 'shop.order', 'a', 'shop.order.opened.v1', '{"traceparent":"00-ab"}', '{"n":1}', 3)`,
  );
  await eventually(() => broker.taken.length === 1, 2000);
  assert.deepEqual(broker.taken[0]?.headers, { traceparent: "00-ab" });
});

test("events of a key are published in the order of their commits, whatever fails on the way", async (t) => {
  const { broker, append, relay, waiting } = await outboxOf(t);
  const random = seededRandom(t);
  broker.refuse = () => (random.chance(0.05) ? new AppError("unavailable", "not now") : undefined);
  broker.confirm = () => new Promise((resolve) => setTimeout(resolve, 1 + random.below(5)));
  await relay();
  const keys = ["a", "b", "c", "d", "e"];
  await Promise.all(
    keys.map(async (key) => {
      for (let n = 0; n < 20; n++) await append(key, n);
    }),
  );
  await eventually(async () => (await waiting()) === 0, 60_000);
  const all = Array.from({ length: 20 }, (_, n) => n);
  for (const key of keys) assert.deepEqual(broker.numbersOf(key), all);
});

test("E6: an event that no queue takes waits longer each time with its key, and all others go", async (t) => {
  const { broker, append, relay, waiting, database, ctx } = await outboxOf(t);
  let isBound = false;
  broker.refuse = ({ key }) => (key === "a" && !isBound ? new AppError("not_found", "no queue") : undefined);
  const { series } = await relay();
  await append("a", 1);
  await append("a", 2);
  for (let n = 0; n < 10; n++) await append("b", n);
  await eventually(() => broker.numbersOf("b").length === 10);
  await eventually(async () => (await waiting()) === 2);
  const Kept = row({ n: "int4", attempts: "int4", last_error: "text?", is_later: "bool" });
  const kept = () =>
    database.query(
      ctx,
      sql(Kept)`
        select (convert_from(payload, 'UTF8')::json ->> 'n')::int4 as n, attempts, last_error, not_before > now() as is_later
        from outbox order by seq`,
    );
  // What was published is gone a statement before what was not is postponed.
  await eventually(async () => (await kept())[0]?.attempts === 1);
  assert.deepEqual(await kept(), [
    { n: 1, attempts: 1, last_error: "not_found: no queue", is_later: true },
    { n: 2, attempts: 0, last_error: null, is_later: false },
  ]);
  assert.equal(await series('outbox_publish_total{result="unroutable"}'), "1");
  const told = ctx.lines.filter(({ level }) => level === "warn").map(({ msg, event_type }) => [msg, event_type]);
  assert.deepEqual(told, [["nobody has subscribed to an event: its like wait in the outbox", opened.type]]);
  isBound = true;
  await eventually(() => broker.numbersOf("a").length === 2);
  assert.deepEqual(broker.numbersOf("a"), [1, 2]);
});

test("E2: while the broker is away events wait as they are, and go in their order when it is back", async (t) => {
  const { broker, append, relay, waiting, database, ctx } = await outboxOf(t);
  await relay();
  await append("a", 0);
  await eventually(() => broker.taken.length === 1);
  broker.away = "the broker can't be reached";
  for (let n = 1; n < 30; n++) await append(n % 2 === 0 ? "a" : "b", n);
  await eventually(async () => (await waiting()) === 29);
  const Attempts = row({ attempts: "int8" });
  const attempts = sql(Attempts)`select sum(attempts) as attempts from outbox`;
  assert.deepEqual(await database.query(ctx, attempts), [{ attempts: 0n }]);
  broker.away = undefined;
  await eventually(async () => (await waiting()) === 0);
  const even = Array.from({ length: 15 }, (_, n) => 2 * n);
  assert.deepEqual(broker.numbersOf("a"), even);
  assert.equal(broker.taken.length, 30);
});

test("an event that was refused twenty times is called stuck, and kept", async (t) => {
  const { broker, append, relay, waiting, database, ctx } = await outboxOf(t);
  broker.refuse = () => new AppError("unavailable", "a queue is full");
  await append("a", 1);
  await database.execute(ctx, sql`update outbox set attempts = 20`);
  await relay();
  const isStuck = () =>
    ctx.lines.some(({ msg, level }) => level === "error" && msg === "an event is stuck in the outbox");
  await eventually(isStuck);
  assert.equal(await waiting(), 1);
});

test("three relays share the lanes, and each event is published by one of them", async (t) => {
  const { broker, append, relay, waiting } = await outboxOf(t);
  const relays = [await relay(), await relay(), await relay()];
  const lanes = () => Promise.all(relays.map(({ series }) => series("outbox_lanes")));
  await eventually(async () => (await lanes()).toSorted().join() === "4,6,6", 10_000);
  for (let n = 0; n < 60; n++) await append(`${n % 20}`, n);
  await eventually(async () => (await waiting()) === 0, 10_000);
  assert.equal(broker.taken.length, 60);
  assert.equal(new Set(broker.taken.map(({ id }) => id)).size, 60);
});

test("a relay whose session is ended has another, and meanwhile the others have its lanes", async (t) => {
  const { broker, append, relay, waiting, database, ctx } = await outboxOf(t);
  const relays = [await relay(), await relay()];
  const lanes = () => Promise.all(relays.map(({ series }) => series("outbox_lanes")));
  await eventually(async () => (await lanes()).join() === "8,8", 10_000);
  await database.execute(
    ctx,
    sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and query ~ 'pg_locks' and query !~ 'terminate'
      limit 1`,
  );
  for (let n = 0; n < 40; n++) await append(`${n}`, n);
  await eventually(async () => (await waiting()) === 0, 10_000);
  await eventually(async () => (await lanes()).join() === "8,8", 10_000);
  assert.equal(new Set(broker.taken.map(({ id }) => id)).size, 40);
});

test("A11: within two seconds another relay has the lanes of one that fell silent, and order is kept", async (t) => {
  const { broker, append, relay, waiting, url, ctx } = await outboxOf(t);
  const proxy = await faultProxy(t, url);
  const frozen = createDatabase(proxy.url, { log: ctx.log, metrics: createRegistry() });
  t.after(() => frozen.stop(testContext()).then(() => {}));
  const first = await relay(frozen);
  await eventually(async () => (await first.series("outbox_lanes")) === "16");
  const second = await relay();
  await eventually(async () => (await second.series("outbox_lanes")) === "8", 5000);
  await proxy.blackhole();
  const frozenAt = performance.now();
  for (let n = 0; n < 40; n++) await append(`${n % 20}`, n);
  await eventually(() => new Set(broker.taken.map(({ id }) => id)).size === 40, 10_000);
  const tookMs = performance.now() - frozenAt;
  assert.ok(tookMs < 3000, `${tookMs} ms`);
  await proxy.pass();
  proxy.reset();
  await eventually(async () => (await waiting()) === 0);
  for (let key = 0; key < 20; key++) assert.deepEqual(broker.numbersOf(`${key}`), [key, key + 20]);
});

test("a relay that is stopped waits for what is under way, and leaves the rest to the next", async (t) => {
  const { broker, append, relay, waiting } = await outboxOf(t);
  const confirms: (() => void)[] = [];
  broker.confirm = () => new Promise<void>((resolve) => confirms.push(resolve));
  const first = await relay();
  for (let n = 0; n < 3; n++) await append("a", n);
  await append("b", 0);
  await eventually(() => confirms.length === 2);
  const stopped = first.stop(testContext());
  for (const confirm of confirms.splice(0)) confirm();
  await stopped;
  assert.deepEqual([broker.taken.length, await waiting()], [2, 2]);
  broker.confirm = () => Promise.resolve();
  await relay();
  await eventually(async () => (await waiting()) === 0);
  assert.deepEqual(broker.numbersOf("a"), [0, 1, 2]);
  assert.equal(broker.taken.length, 4);
});

test("a confirm that does not come holds a stop up for two seconds, and the event is published again", async (t) => {
  const { broker, append, relay, waiting } = await outboxOf(t);
  let published = 0;
  broker.confirm = () => {
    published++;
    return new Promise<void>(() => {});
  };
  const first = await relay();
  await append("a", 1);
  await eventually(() => published === 1);
  const stoppingAt = performance.now();
  await first.stop(testContext());
  const tookMs = performance.now() - stoppingAt;
  assert.ok(tookMs > 1900 && tookMs < 5000, `${tookMs} ms`);
  assert.equal(await waiting(), 1);
  broker.confirm = () => Promise.resolve();
  await relay();
  await eventually(async () => (await waiting()) === 0);
});

test("a relay starts without its database, and relays once that is there", async (t) => {
  const { broker, append, relay, url, ctx } = await outboxOf(t);
  const proxy = await faultProxy(t, url);
  await proxy.refuse();
  const away = createDatabase(proxy.url, { log: ctx.log, metrics: createRegistry() });
  t.after(() => away.stop(testContext()).then(() => {}));
  await relay(away);
  await append("a", 1);
  await eventually(() => ctx.lines.some(({ msg }) => msg === "no events are relayed"));
  await proxy.pass();
  await eventually(() => broker.taken.length === 1, 10_000);
});

test("what waits is counted, and how long the oldest does", async (t) => {
  const { append, database, ctx } = await outboxOf(t);
  const registry = createRegistry();
  const instruments = new RelayInstruments(registry);
  const gauges = async () => {
    await measure(ctx, database, instruments);
    const lines = (await registry.text()).split("\n");
    const value = (name: string) => Number(lines.find((line) => line.startsWith(`${name} `))?.replace(/^.* /, ""));
    return [value("outbox_pending"), value("outbox_oldest_age_seconds")] as const;
  };
  assert.deepEqual(await gauges(), [0, 0]);
  await append("a", 1);
  await append("a", 2);
  await database.execute(ctx, sql`update outbox set created_at = now() - interval '90 seconds' where seq = 1`);
  const [pending, age] = await gauges();
  assert.equal(pending, 2);
  assert.ok(age >= 90 && age < 150, `${age} s`);
});
