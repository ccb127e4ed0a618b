import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bundleFile } from "@parapet/dev";
import { queuesOf } from "parapet/messaging";
import { row, sql } from "parapet/postgres";
import {
  announcedIn,
  eventually,
  forEachSeed,
  ownRabbit,
  postgresSandbox,
  type RabbitSandbox,
  Replica,
  rabbitSandbox,
  type ServiceProcess,
  seededRandom,
  startProcess,
  testContext,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { FireLedger } from "./fire-ledger.ts";
import { observeUsers, type PublishedEvent, publishedEvents, takeEvents } from "./published-events.ts";
import { sendJson, userOf } from "./users-json.ts";
import { SERVER } from "./users-process.ts";

const folder = mkdtempSync(join(tmpdir(), "under-fire-"));
/** The example, which proves effects once, as one file. */
const COUNTER = join(folder, "user-counter.mjs");
const COUNTER_SOURCE = fileURLToPath(new URL("../../../examples/user-counter.ts", import.meta.url));
before(async () => {
  await bundleFile({ entry: COUNTER_SOURCE, outfile: COUNTER });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const CLIENTS = 6;
const KILLS_A_SEED = 3;
const LONGEST_LIFE_MS = 1000;
const QUIET_MS = 60_000;
/** Of a process that nobody kills, through many seeds. */
const LIFETIME_MS = 600_000;
/** With the many seeds of a soak, as long as RELIABILITY asks; else long enough for everything to notice. */
const OUTAGE_MS = Number(process.env.SEEDS ?? 5) >= 100 ? 60_000 : 3000;
/** RabbitMQ writes down a quorum queue seconds after it made it. */
const SETTLING_MS = 10_000;

interface ChainOptions {
  readonly group: string;
  /** How many processes of the service. */
  readonly servers: number;
  /** How many of its consumer. */
  readonly counters: number;
}

/** So many replicas of the service and of its consumer, on databases of their own and the given broker. */
async function chainOn(t: TestContext, amqpUrl: string, { group, servers, counters }: ChainOptions) {
  const ctx = testContext();
  const users = await postgresSandbox(t, { migrations });
  const counter = await postgresSandbox(t, {});
  const counterEnv = { DATABASE_URL: counter.url, AMQP_URL: amqpUrl, GROUP: group };
  const migration = startProcess(t, COUNTER, { env: counterEnv, args: ["migrate"] });
  assert.equal((await migration.exited).code, 0, migration.stdout + migration.stderr);
  const env = { DATABASE_URL: users.url, AMQP_URL: amqpUrl };
  const several = (length: number, start: () => ServiceProcess) => Array.from({ length }, () => new Replica(start));
  const chain = {
    servers: several(servers, () => startProcess(t, SERVER, { env, lifetimeMs: LIFETIME_MS })),
    counters: several(counters, () => startProcess(t, COUNTER, { env: counterEnv, lifetimeMs: LIFETIME_MS })),
  };
  // Before anything is published, or it has not subscribed to it.
  for (const replica of chain.counters) await replica.said("messages are taken");
  const Stored = row({ id: "uuid", version: "int4" });
  const Count = row({ user_id: "text", event: "text", n: "int4" });
  return {
    ...chain,
    /** Everything is published, and at a consumer or handled. */
    isQuiet: async ({ channel }: RabbitSandbox) => {
      if ((await announcedIn(users.database)).length > 0) return false;
      const { main, retries } = queuesOf(group);
      const queues = await Promise.all([main, ...retries].map((queue) => channel.checkQueue(queue)));
      return queues.every(({ messageCount }) => messageCount === 0);
    },
    /** Users by id, with their versions; and how often each event took effect. */
    read: async () => {
      const stored = await users.database.query(ctx, sql(Stored)`select id, version::int4 as version from users`);
      const counts = await counter.database.query(ctx, sql(Count)`select user_id, event, n from counts`);
      const byEvent = new Map(counts.map(({ user_id, event, n }) => [`${user_id} ${event}`, n]));
      return {
        stored: new Map(stored.map(({ id, version }) => [id, version])),
        countOf: (userId: string, type: string) => byEvent.get(`${userId} ${type}`) ?? 0,
      };
    },
  };
}

type Chain = Awaited<ReturnType<typeof chainOn>>;

/** Lets clients loose on whatever process is up, until they are stopped. */
function startClients(t: TestContext, ledger: FireLedger, servers: readonly Replica[]) {
  const random = seededRandom(t);
  const ending = new AbortController();
  const urlOf = () => {
    const up = servers.map(({ url }) => url).filter((url) => url !== undefined);
    return up[random.below(up.length)];
  };
  const clients = Array.from({ length: CLIENTS }, () => ledger.client(random, urlOf, ending.signal));
  const stop = async () => {
    ending.abort();
    await Promise.all(clients);
  };
  t.after(stop);
  return { stop };
}

/** Creates users, each with a key of its own, and gives their ids. */
async function createTwenty(ledger: FireLedger, servers: readonly Replica[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) {
    const url = servers[n % servers.length]?.url ?? assert.fail("a server that is not frozen listens");
    const created = await sendJson("POST", `${url}/api/v1/users`, { name: "Bob", email: ledger.newAddress() });
    ids.push((await userOf(created)).id);
  }
  return ids;
}

/** Waits until everything is published and handled, and holds it against what was acknowledged. */
async function assertWhole(
  { isQuiet, counters, read }: Chain,
  { ledger, rabbit, group, events }: Witnesses,
): Promise<void> {
  await eventually(() => isQuiet(rabbit), QUIET_MS);
  const problems = async () => ledger.problems({ ...(await read()), events: await events() });
  // What is at a consumer is in no count of a queue.
  await eventually(async () => (await problems()).length === 0, QUIET_MS).catch(() => {});
  assert.deepEqual(await problems(), []);
  for (const counter of counters) await counter.stop();
  assert.deepEqual([await problems(), await rabbit.parked(group)], [[], []]);
}

interface Witnesses {
  readonly ledger: FireLedger;
  readonly rabbit: RabbitSandbox;
  readonly group: string;
  readonly events: () => Promise<readonly PublishedEvent[]>;
}

test("K15: killed at random moments under load, the service and its consumer lose, double and invent nothing", async (t) => {
  const rabbit = await rabbitSandbox(t);
  const group = rabbit.group();
  const events = await publishedEvents(t);
  const chain = await chainOn(t, rabbit.url, { group, servers: 2, counters: 2 });
  const ledger = new FireLedger();
  const clients = startClients(t, ledger, chain.servers);
  let kills = 0;
  await forEachSeed(t, async (random) => {
    for (let n = 0; n < KILLS_A_SEED; n++, kills++) {
      await delay(random.below(LONGEST_LIFE_MS));
      const [first = assert.fail("there is a process to kill"), ...others] = [...chain.servers, ...chain.counters];
      await random.oneOf([first, ...others]).killAndRestart();
    }
  });
  await clients.stop();
  await assertWhole(chain, { ledger, rabbit, group, events: events.all });
  assert.ok(ledger.acknowledged > kills, `${ledger.acknowledged} changes were acknowledged`);
  t.diagnostic(`${kills} kills, ${ledger.acknowledged} changes acknowledged, ${ledger.unanswered} without an answer`);
});

test("A11: of three services one is frozen and goes on: the others take its events over, and all is once and in order", async (t) => {
  const rabbit = await rabbitSandbox(t);
  const group = rabbit.group();
  const events = await publishedEvents(t);
  const chain = await chainOn(t, rabbit.url, { group, servers: 3, counters: 1 });
  const ledger = new FireLedger();
  const clients = startClients(t, ledger, chain.servers);
  await eventually(() => ledger.acknowledged > 100, 20_000);
  const [frozen = assert.fail("there is a server to freeze"), ...others] = chain.servers;
  await forEachSeed(t, async (random) => {
    await delay(random.below(300));
    const thaw = frozen.freeze();
    const frozenAt = performance.now();
    const ids = await createTwenty(ledger, others);
    const eventOf = async (id: string) => (await events.of(id))[0];
    await eventually(async () => (await Promise.all(ids.map(eventOf))).every((event) => event !== undefined), 10_000);
    const arrivals = await Promise.all(ids.map(async (id) => (await eventOf(id))?.at ?? 0));
    const tookMs = Math.max(...arrivals) - frozenAt;
    t.diagnostic(`the last event of twenty came ${Math.round(tookMs)} ms after the freeze`);
    // A busy machine has a second of its own.
    assert.ok(tookMs < 3000, `${tookMs} ms`);
    thaw();
  });
  await clients.stop();
  await assertWhole(chain, { ledger, rabbit, group, events: events.all });
});

test("E2: with the broker gone under load every write is acknowledged, and all events arrive after, in their order", async (t) => {
  const server = await ownRabbit(t);
  if (server === undefined) return;
  await observeUsers((await rabbitSandbox(t, server)).channel, "observed", { durable: true });
  const chain = await chainOn(t, server.url, { group: "user_counter", servers: 1, counters: 1 });
  const ledger = new FireLedger();
  const clients = startClients(t, ledger, chain.servers);
  await delay(SETTLING_MS);
  const before = ledger.acknowledged;
  await server.kill();
  await delay(OUTAGE_MS);
  const during = ledger.acknowledged - before;
  await server.restart();
  await delay(1000);
  await clients.stop();
  assert.equal(ledger.unanswered, 0);
  assert.ok(during > OUTAGE_MS / 100, `${during} changes were acknowledged without a broker`);
  const rabbit = await rabbitSandbox(t, server);
  await eventually(() => chain.isQuiet(rabbit), QUIET_MS);
  const events = await takeEvents(rabbit.channel, "observed");
  await assertWhole(chain, { ledger, rabbit, group: "user_counter", events: async () => events });
  t.diagnostic(`${OUTAGE_MS} ms without a broker: ${during} changes acknowledged meanwhile, of ${ledger.acknowledged}`);
});
