import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createPostgresProxy, replyTo, statement } from "@parapet/wire";
import { type Database, row, sql } from "parapet/postgres";
import { eventually, ownRedis, postgresSandbox, testContext } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import {
  assertWritable,
  type CachedUsers,
  changeUser,
  createUsers,
  keyOf,
  notesIn,
  readUser,
  startCached,
  startConnected,
  untilCached,
} from "./cached-users.ts";
import { counted } from "./scrape.ts";
import { shiftedClock } from "./shifted-clock.ts";

/** What a busy machine adds. */
const SLACK_MS = 200;

type Two = readonly [CachedUsers, CachedUsers];

/** What a series is in both processes together. */
async function sumOf(processes: Two, series: string): Promise<number> {
  const [one, two] = await Promise.all([counted(processes[0], series), counted(processes[1], series)]);
  return one + two;
}

/** Two hundred reads at once, half of them in each process; gives how long the slowest took, in milliseconds. */
async function slowestOf200(processes: Two, id: string): Promise<number> {
  const reads = Array.from({ length: 200 }, (_, n) => readUser(processes[n % 2 === 0 ? 0 : 1], id));
  return Math.max(...(await Promise.all(reads)).map(({ ms }) => ms));
}

const LOADS = 'cache_load_duration_seconds_count{cache="users"}';
const REFRESHES = 'cache_refreshes_total{cache="users",result="ok"}';
/** The reads of users by their id, as they go to the database. */
const BY_ID = /from users where id = any/;

test("D9: two hundred who read an expired entry are one load a process, and wait no longer than it takes", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const { url } = await postgresSandbox(t, { migrations });
  const proxy = await createPostgresProxy(url);
  t.after(() => proxy.close());
  const env = { DATABASE_URL: proxy.url, REDIS_URL: redis.url, CACHE_TTL_MS: "1200" };
  const processes: Two = [await startConnected(t, env), await startConnected(t, env)];
  let selects = 0;
  proxy.onMessage((seen) => {
    if (statement(BY_ID)(seen)) selects++;
  });
  const [id = ""] = await createUsers(processes[0], 1);
  const loadsOf = () => Promise.all(processes.map((one) => counted(one, LOADS)));
  const refreshesOf = () => Promise.all(processes.map((one) => counted(one, REFRESHES)));
  // With their connections made.
  await slowestOf200(processes, id);
  // Sooner and later than another process stops waiting for it.
  for (const rebuildMs of [60, 60, 300]) {
    const hitMs = await slowestOf200(processes, id);
    await eventually(async () => (await redis.command("EXISTS", keyOf(id))) === 0);
    const [before, selected, refreshed] = [await loadsOf(), selects, await refreshesOf()];
    proxy.when(replyTo(BY_ID), { delayMs: rebuildMs });
    const expiredMs = await slowestOf200(processes, id);
    // On a busy machine they take so long that the new entry is refreshed by then.
    const refreshes = (await refreshesOf()).map((count, n) => count - (refreshed[n] ?? 0));
    const loads = (await loadsOf()).map((count, n) => count - (before[n] ?? 0) - (refreshes[n] ?? 0));
    assert.equal(Math.max(...loads), 1, `${loads} loads, ${refreshes} refreshes`);
    assert.ok(selects - selected <= 2 + Math.max(...refreshes), `${selects - selected} selects`);
    assert.ok(
      expiredMs < 2 * hitMs + rebuildMs + 50 + SLACK_MS,
      `the slowest took ${expiredMs} ms, and ${hitMs} ms as a hit`,
    );
    t.diagnostic(`${loads} loads, the slowest read ${Math.round(expiredMs)} ms, as a hit ${Math.round(hitMs)} ms`);
  }
});

test("D9: a hot entry that two processes read on is loaded anew before it expires, and nobody waits for that", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const { url } = await postgresSandbox(t, { migrations });
  const env = { DATABASE_URL: url, REDIS_URL: redis.url, CACHE_TTL_MS: "2500" };
  const processes: Two = [await startConnected(t, env), await startConnected(t, env)];
  const [id = ""] = await createUsers(processes[0], 1);
  for (const one of processes) await untilCached(one, id);
  const waited = async () =>
    (await sumOf(processes, 'cache_requests_total{cache="users",result="miss"}')) +
    (await sumOf(processes, 'cache_requests_total{cache="users",result="bypass"}'));
  const refreshed = () => sumOf(processes, REFRESHES);
  const before = { waited: await waited(), loads: await sumOf(processes, LOADS), refreshed: await refreshed() };
  // Two lives, and not quite a third.
  const endAt = performance.now() + 5500;
  const readOn = async (service: CachedUsers) => {
    for (; performance.now() < endAt; await delay(5)) await readUser(service, id);
  };
  await Promise.all([...processes, ...processes].map(readOn));
  assert.equal((await waited()) - before.waited, 0);
  const refreshes = (await refreshed()) - before.refreshed;
  assert.ok(refreshes === 2 || refreshes === 3, `${refreshes} refreshes`);
  assert.equal((await sumOf(processes, LOADS)) - before.loads, refreshes);
});

/** Changes a user behind the back of the service: no cache hears of it. */
async function changeUnheard(database: Database, id: string): Promise<number> {
  const change = sql(row({ version: "int4" }))`
    update users set version = version + 1 where id = ${id}::uuid returning version`;
  const [changed] = await database.query(testContext(), change);
  return changed?.version ?? assert.fail("there is no such user");
}

/** A process that goes by a clock which can be set, its cache in Redis or its own; undefined where there is no Redis. */
async function underClock(t: TestContext, where: "Redis" | "the process", ttlMs: number) {
  const redis = where === "Redis" ? await ownRedis(t) : undefined;
  if (where === "Redis" && redis === undefined) return undefined;
  const clock = shiftedClock(t);
  const { url, database } = await postgresSandbox(t, { migrations });
  const env = { DATABASE_URL: url, CACHE_TTL_MS: String(ttlMs), ...clock.env };
  const service = redis ? await startConnected(t, { ...env, REDIS_URL: redis.url }) : await startCached(t, env);
  return { clock, database, service };
}

for (const where of ["Redis", "the process"] as const) {
  test(`D10: the clock jumps an hour ahead, two back, and is set right: what is kept in ${where} ends in time, and goes on`, async (t) => {
    const ttlMs = 800;
    const started = await underClock(t, where, ttlMs);
    if (started === undefined) return;
    const { clock, database, service } = started;
    const [id = "", other = ""] = await createUsers(service, 2);
    const hourMs = 3_600_000;
    for (const aheadMs of [hourMs, -hourMs, 0]) {
      // Or what was noted before would drop it.
      await eventually(async () => (await notesIn(database)) === 0);
      await untilCached(service, id);
      const version = await changeUnheard(database, id);
      const changedAt = performance.now();
      assert.equal((await readUser(service, id)).user.version, version - 1, "it is kept");
      clock.shift(aheadMs);
      await eventually(async () => (await readUser(service, id)).user.version === version);
      const staleMs = performance.now() - changedAt;
      assert.ok(staleMs < ttlMs + SLACK_MS, `old for ${staleMs} ms`);
      const { user } = await changeUser(service, other, `${aheadMs} ms ahead`);
      const shiftedMs = Date.parse(user.updatedAt) - Date.now();
      assert.ok(Math.abs(shiftedMs - aheadMs) < 10_000, `the process is ${shiftedMs} ms ahead`);
      await assertWritable(service, id);
      t.diagnostic(`${aheadMs} ms ahead: old for ${Math.round(staleMs)} ms`);
    }
  });
}
