import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createBroker, queuesOf } from "../messaging/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { defineMigrations, row, sql } from "../postgres/index.ts";
import {
  eventually,
  postgresSandbox,
  rabbitSandbox,
  type ServiceProcess,
  seededRandom,
  startProcess,
  testContext,
} from "../testing/index.ts";
import { inboxSchema } from "./index.ts";

const FIXTURE = fileURLToPath(new URL("consumer.fixture.ts", import.meta.url));
const MAIN = [process.execPath, "--conditions=parapet-source", "--import", "@parapet/dev/register", FIXTURE];

const migrations = defineMigrations([
  { id: "0001_inbox", sql: inboxSchema },
  { id: "0002_effects", sql: "create table effects (seq int8 generated always as identity, n int4 not null)" },
]);

/** A process that consumes what the test publishes, with a queue and a database of its own. */
async function bench(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const rabbit = await rabbitSandbox(t);
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const group = rabbit.group();
  const type = `${group}.thing.made.v1`;
  const broker = createBroker(rabbit.url, { log: ctx.log, metrics: createRegistry() });
  await broker.start(ctx);
  t.after(() => broker.stop(testContext()).then(() => {}));
  const start = async (): Promise<ServiceProcess> => {
    const started = startProcess(t, MAIN, {
      env: { DATABASE_URL: url, AMQP_URL: rabbit.url, GROUP: group, EVENT: type, ...env },
    });
    await started.line("messages are taken", 30_000);
    return started;
  };
  const publish = (n: number, { kills = false, fails = false } = {}) => {
    const data = Buffer.from(JSON.stringify({ n, kills, fails }));
    const attributes = { id: randomUUID(), type, source: "bench", key: `${n % KEYS}`, time: new Date(), headers: {} };
    return broker.publish(ctx, { ...attributes, data });
  };
  const Effect = row({ n: "int4" });
  const inTheirOrder = async () =>
    (await database.query(ctx, sql(Effect)`select n from effects order by seq`)).map(({ n }) => n);
  const effects = async () => (await inTheirOrder()).toSorted((one, other) => one - other);
  const left = async () => (await rabbit.channel.checkQueue(queuesOf(group).main)).messageCount;
  return { group, rabbit, start, publish, effects, inTheirOrder, left };
}

/** Of the messages that are published one after the other. */
const KEYS = 7;

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

test("E12: a message that kills the process each time is parked after three starts, and its neighbours have their effect once", async (t) => {
  const { group, rabbit, start, publish, effects } = await bench(t);
  let isGone = false;
  const watched = async () => {
    isGone = false;
    const consumer = await start();
    void consumer.exited.then(() => {
      isGone = true;
    });
  };
  await watched();
  let starts = 1;
  for (const n of upTo(6)) await publish(n, { kills: n === 3 });
  const isParked = async () => (await rabbit.parked(group)).length === 1;
  await eventually(async () => {
    if (isGone) {
      starts++;
      await watched();
    }
    return isParked();
  }, 60_000);
  await eventually(async () => (await effects()).length === 5, 10_000);
  assert.deepEqual(await effects(), [0, 1, 2, 4, 5]);
  // Three that it killed, and the one that put it aside.
  assert.equal(starts, 4);
  const [{ error } = assert.fail()] = await rabbit.parked(group);
  assert.equal(error, "invalid: handling this message was begun again and again, and never ended");
});

test("A9: a process that is told to stop ends what it handles and gives back the rest, time after time", async (t) => {
  const { group, rabbit, start, publish, effects, left } = await bench(t, { HANDLE_MS: "10" });
  const random = seededRandom(t);
  const first = await start();
  first.kill();
  await first.exited;
  for (const n of upTo(300)) await publish(n);
  for (let round = 0; round < 3; round++) {
    const consumer = await start();
    await delay(random.below(300));
    consumer.kill();
    const { code, ms } = await consumer.exited;
    assert.deepEqual([code, ms < 3000], [0, true], `${ms} ms ${consumer.stdout}`);
  }
  await start();
  await eventually(async () => (await effects()).length >= 300 && (await left()) === 0, 30_000);
  assert.deepEqual(await effects(), upTo(300));
  assert.deepEqual(await rabbit.parked(group), []);
});

test("A11: a process that was frozen goes on, and what it had meanwhile has its effect once", async (t) => {
  const { start, publish, effects, left } = await bench(t, { HANDLE_MS: "20" });
  const [frozen] = [await start(), await start()];
  for (const n of upTo(100)) await publish(n);
  await eventually(async () => (await effects()).length > 5);
  frozen.kill("SIGSTOP");
  await delay(3000);
  frozen.kill("SIGCONT");
  await eventually(async () => (await effects()).length >= 100 && (await left()) === 0, 30_000);
  assert.deepEqual(await effects(), upTo(100));
});

test("where order is kept the effects of a key come in its order, through failures, kills, freezes and stops of those that consume", async (t) => {
  const { group, rabbit, start, publish, inTheirOrder, left } = await bench(t, { HANDLE_MS: "10", ORDERED: "1" });
  const random = seededRandom(t);
  const running = [await start(), await start()];
  for (const n of upTo(210)) await publish(n, { fails: n % 30 === 4 });
  for (const signal of ["SIGKILL", "SIGTERM", "SIGSTOP", "SIGKILL", "SIGTERM"] as const) {
    await delay(random.below(600));
    const [consumer = assert.fail()] = running.splice(random.below(2), 1);
    consumer.kill(signal);
    running.push(await start());
    consumer.kill(signal === "SIGSTOP" ? "SIGCONT" : "SIGKILL");
    if (signal === "SIGSTOP") consumer.kill("SIGTERM");
    await consumer.exited;
  }
  await eventually(async () => (await inTheirOrder()).length >= 210 && (await left()) === 0, 60_000);
  const effects = await inTheirOrder();
  for (const key of upTo(KEYS)) {
    const ofKey = (n: number) => n % KEYS === key;
    assert.deepEqual(effects.filter(ofKey), upTo(210).filter(ofKey));
  }
  assert.deepEqual(await rabbit.parked(group), []);
});
