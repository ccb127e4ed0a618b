import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { queuesOf } from "parapet/messaging";
import { type Database, row, sql } from "parapet/postgres";
import {
  announcedIn,
  eventually,
  type FaultProxy,
  faultProxy,
  ownRabbit,
  postgresSandbox,
  type RabbitChannel,
  type RabbitSandbox,
  Replica,
  rabbitSandbox,
  type SeededRandom,
  seededRandom,
  sparePort,
  startProcess,
  testContext,
  withoutRedis,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import type { Order } from "../pkg/client/index.ts";
import { ChainLedger } from "./chain-ledger.ts";
import { chainProblems, type Outcome } from "./chain-problems.ts";
import { ORDERS, USERS } from "./orders-process.ts";

const CLIENTS = 6;
/** With the many seeds of a soak, five minutes. */
const FIRE_MS = Number(process.env.SEEDS ?? 5) >= 100 ? 300_000 : 10_000;
const LIFETIME_MS = 900_000;
/** What failed while a server was away comes again after up to half a minute, and after that in two. */
const QUIET_MS = 180_000;
const OBSERVED = "observed";

/** Both services, each behind proxies before all that it uses. */
async function chainOn(t: TestContext, amqpUrl: string) {
  const users = await postgresSandbox(t);
  const orders = await postgresSandbox(t, { migrations });
  const through = (url: string) => faultProxy(t, url);
  const redis = withoutRedis === false ? await through(process.env.REDIS_URL || "redis://127.0.0.1:6379") : undefined;
  const proxies = {
    usersDatabase: await through(users.url),
    ordersDatabase: await through(orders.url),
    usersBroker: await through(amqpUrl),
    ordersBroker: await through(amqpUrl),
  };
  const usersPort = await sparePort();
  const usersEnv = {
    DATABASE_URL: proxies.usersDatabase.url,
    AMQP_URL: proxies.usersBroker.url,
    PORT: String(usersPort),
    ...(redis && { REDIS_URL: redis.url }),
  };
  const migration = startProcess(t, USERS, { args: ["migrate"], env: { ...usersEnv, DATABASE_URL: users.url } });
  assert.equal((await migration.exited).code, 0, migration.stdout + migration.stderr);
  const ordersEnv = {
    DATABASE_URL: proxies.ordersDatabase.url,
    AMQP_URL: proxies.ordersBroker.url,
    USERS_URL: `http://127.0.0.1:${usersPort}`,
  };
  const replicas = {
    users: [new Replica(() => startProcess(t, USERS, { env: usersEnv, lifetimeMs: LIFETIME_MS }))],
    orders: [1, 2].map(() => new Replica(() => startProcess(t, ORDERS, { env: ordersEnv, lifetimeMs: LIFETIME_MS }))),
  };
  // Before anything is published, or it has not subscribed to it.
  for (const replica of replicas.orders) await replica.said("messages are taken");
  await replicas.users[0]?.said("the database is ready");
  const all: FaultProxy[] = [...Object.values(proxies), ...(redis === undefined ? [] : [redis])];
  return { ...replicas, proxies: all, usersDatabase: users.database, ordersDatabase: orders.database };
}

type Chain = Awaited<ReturnType<typeof chainOn>>;

/** Kills a process, or cuts a way to a server, for a moment. */
async function harm({ users, orders, proxies }: Chain, random: SeededRandom): Promise<string> {
  const replica = random.oneOf([...users, ...orders] as [Replica, ...Replica[]]);
  const proxy = random.oneOf(proxies as [FaultProxy, ...FaultProxy[]]);
  const what = random.oneOf(["kill", "kill", "reset", "refuse", "hole"] as const);
  if (what === "kill") await replica.killAndRestart();
  if (what === "reset") proxy.reset();
  if (what === "refuse") await proxy.refuse();
  if (what === "refuse") proxy.reset();
  if (what === "hole") await proxy.blackhole();
  await delay(random.below(500));
  await proxy.pass();
  return what;
}

async function outcomeOf({ ordersDatabase }: Chain, events: Outcome["events"]): Promise<Outcome> {
  const ctx = testContext();
  const Stored = row({ id: "uuid", user_id: "uuid", status: "text", version: "int4", cancel_reason: "text?" });
  const Known = row({ id: "uuid", version: "int4", is_deleted: "bool" });
  const stored = await ordersDatabase.background.query(
    ctx,
    sql(Stored)`select id, user_id, status, version, cancel_reason from orders`,
  );
  const customers = await ordersDatabase.background.query(
    ctx,
    sql(Known)`select id, version, is_deleted from customers`,
  );
  const toStored = ({ user_id, status, version, cancel_reason }: (typeof stored)[number]) => ({
    userId: user_id,
    status: status as Order["status"],
    version,
    ...(cancel_reason !== null && { cancelReason: cancel_reason as NonNullable<Order["cancelReason"]> }),
  });
  return {
    stored: new Map(stored.map((order) => [order.id, toStored(order)])),
    customers: new Map(customers.map(({ id, version, is_deleted }) => [id, { version, isDeleted: is_deleted }])),
    events,
  };
}

/** Everything is published, and handled or at a consumer. */
async function isQuiet({ usersDatabase, ordersDatabase }: Chain, { channel }: RabbitSandbox): Promise<boolean> {
  const isPublished = async (database: Database) => (await announcedIn(database)).length === 0;
  if (!(await isPublished(usersDatabase)) || !(await isPublished(ordersDatabase))) return false;
  const { main, retries } = queuesOf("orders");
  const queues = await Promise.all([main, ...retries].map((queue) => channel.checkQueue(queue)));
  return queues.every(({ messageCount }) => messageCount === 0);
}

async function takeEvents(channel: RabbitChannel): Promise<Outcome["events"]> {
  const events: Outcome["events"][number][] = [];
  for (;;) {
    const message = await channel.get(OBSERVED, { noAck: true });
    if (message === false) return events;
    const { content, fields, properties } = message;
    events.push({ id: String(properties.messageId), type: fields.routingKey, data: JSON.parse(content.toString()) });
  }
}

test("users and orders killed at random, and cut off from their servers, lose, double and invent nothing, and no order of a user who is gone stays open", async (t) => {
  const server = await ownRabbit(t);
  if (server === undefined) return;
  const rabbit = await rabbitSandbox(t, server);
  await rabbit.channel.assertExchange("events", "topic", { durable: true });
  await rabbit.channel.assertQueue(OBSERVED, { durable: true });
  await rabbit.channel.bindQueue(OBSERVED, "events", "orders.order.#");
  const chain = await chainOn(t, server.url);
  const random = seededRandom(t);
  const ledger = new ChainLedger();
  const ending = new AbortController();
  const urls = { users: () => chain.users[0]?.url, orders: () => chain.orders[random.below(2)]?.url };
  const clients = Array.from({ length: CLIENTS }, () => ledger.client(random, urls, ending.signal));
  const harms: Record<string, number> = {};
  for (const endsAt = performance.now() + FIRE_MS; performance.now() < endsAt; ) {
    const what = await harm(chain, random);
    harms[what] = (harms[what] ?? 0) + 1;
    await delay(random.below(1000));
  }
  ending.abort();
  await Promise.all(clients);
  await eventually(() => isQuiet(chain, rabbit), QUIET_MS);
  const events: Outcome["events"][number][] = [];
  const problems = async () => {
    events.push(...(await takeEvents(rabbit.channel)));
    return chainProblems(ledger, await outcomeOf(chain, events));
  };
  // What is at a consumer is in no count of a queue.
  await eventually(async () => (await problems()).length === 0, 30_000).catch(() => {});
  const { orders, users, deleted, attempts } = ledger;
  t.diagnostic(
    `${JSON.stringify(harms)}; ${users.size} users, ${deleted.size} of them gone, ${orders.size} orders, ${attempts} requests`,
  );
  assert.deepEqual((await problems()).slice(0, 5), []);
  assert.deepEqual(await rabbit.parked("orders"), []);
  assert.ok(orders.size > FIRE_MS / 1000, `${orders.size} orders were placed`);
});
