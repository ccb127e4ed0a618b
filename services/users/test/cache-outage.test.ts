import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { command, createRedisProxy } from "@parapet/wire";
import {
  eventually,
  type FaultProxy,
  faultProxy,
  type LoadRequest,
  type OwnRedis,
  ownRedis,
  postgresSandbox,
  startLoad,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import {
  answered,
  assertWritable,
  type CachedUsers,
  createUsers,
  medianMs,
  readEach,
  readPage,
  readUser,
  startCached,
  startConnected,
  type UserRead,
  untilCached,
} from "./cached-users.ts";
import { counted } from "./scrape.ts";

/** What a read costs on top at most while Redis does not answer. */
const OPERATION_MS = 100;
/** What a read costs on top while Redis is known to be away. */
const AWAY_MS = 5;
/** What a busy machine adds. */
const SLACK_MS = 200;

interface Outage {
  readonly redis: OwnRedis;
  readonly proxy: FaultProxy;
  readonly service: CachedUsers;
  /** Nobody has read these users yet. */
  readonly ids: readonly [string, string, ...string[]];
  /** How long it takes to read one of them, in milliseconds, when nothing is broken. */
  readonly missMs: number;
}

/** The service with a Redis that can be broken, itself or on the way to it; undefined where there is no Redis to be had. */
async function beforeOutage(t: TestContext): Promise<Outage | undefined> {
  const redis = await ownRedis(t);
  if (redis === undefined) return undefined;
  const proxy = await faultProxy(t, redis.url);
  const { url } = await postgresSandbox(t, { migrations });
  const service = await startConnected(t, { DATABASE_URL: url, REDIS_URL: proxy.url });
  const [first = "", second = "", ...ids] = await createUsers(service, 150);
  const missMs = medianMs(await readEach(service, ids.splice(0, 40)));
  return { redis, proxy, service, ids: [first, second, ...ids], missMs };
}

/** Reads and changes these users, as others do meanwhile. */
function readMostly(ids: readonly string[]): (number: number) => LoadRequest {
  return (number) => {
    const path = `/api/v1/users/${ids[number % ids.length]}`;
    if (number % 5 > 0) return { path };
    const body = JSON.stringify({ name: `load ${number}` });
    return { method: "PATCH", path, headers: { "content-type": "application/json" }, body };
  };
}

test("D1: under load Redis is killed and comes back: no request fails, and within three seconds it is used again", async (t) => {
  const outage = await beforeOutage(t);
  if (outage === undefined) return;
  const { redis, service, ids } = outage;
  const request = readMostly(ids.slice(-5));
  const load = startLoad(t, { url: service.url, keepAliveClients: 3, freshClients: 1, maxThinkMs: 50, request });
  await untilCached(service, ids[0]);
  await redis.kill();
  await service.line("the cache has no connection");
  const bypassed = await answered(service, "bypass");
  const away = await assertCheap(outage, ids.slice(2, 62));
  assert.ok((await answered(service, "bypass")) >= bypassed + away.length);
  await assertWritable(service, ids[0]);
  assert.ok((await counted(service, 'cache_invalidations_total{cache="users",result="failed"}')) > 0);

  await redis.restart();
  const backMs = await untilCached(service, ids[1]);
  // A quick return leaves little time for requests.
  await eventually(() => load.report().ok > 50);
  assert.deepEqual((await load.stop()).failures, {});
  const awayMs = medianMs(away).toFixed(1);
  t.diagnostic(`a miss ${outage.missMs.toFixed(1)} ms, without Redis ${awayMs} ms, back in ${Math.round(backMs)} ms`);
});

test("D1: a start without Redis is a start, and Redis is used within three seconds once it is there", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const { url } = await postgresSandbox(t, { migrations });
  await redis.kill();
  const service = await startCached(t, { DATABASE_URL: url, REDIS_URL: redis.url });
  const [id = "", ...others] = await createUsers(service, 10);
  // Long enough for the waits between two attempts to have grown to their longest.
  await eventually(async () => {
    await assertWritable(service, id);
    await readEach(service, others);
    return (await counted(service, 'cache_redis_connects_total{result="failed"}')) > 5;
  });
  assert.equal((await fetch(`${service.url}/readyz`)).status, 200);
  assert.equal(service.lines.filter(({ msg }) => msg === "the cache has no connection").length, 1);
  await redis.restart();
  t.diagnostic(`used ${Math.round(await untilCached(service, id))} ms after it came`);
});

test("D2: a Redis that hangs costs the first requests 100 ms and the next nothing; nothing fails, nothing old is read", async (t) => {
  const outage = await beforeOutage(t);
  if (outage === undefined) return;
  const { redis, service, ids, missMs } = outage;
  await untilCached(service, ids[0]);
  redis.signal("SIGSTOP");
  const first = await Promise.all(ids.slice(2, 10).map((id) => readUser(service, id)));
  const slowestMs = assertInTime(first, missMs);
  assert.equal(await counted(service, "cache_breaker_open"), 1, "it hangs");

  await assertCheap(outage, ids.slice(10, 70));
  const writeMs = await assertWritable(service, ids[0]);
  assert.ok(writeMs < OPERATION_MS + SLACK_MS, `a change took ${writeMs} ms`);
  await service.line("the cache has no connection", 3000);
  await assertWritable(service, ids[1]);
  const { user } = await readUser(service, ids[0]);

  redis.signal("SIGCONT");
  const backMs = await untilCached(service, ids[0]);
  assert.deepEqual((await readUser(service, ids[0])).user, user);
  t.diagnostic(`miss ${missMs.toFixed(1)} ms, the first ${Math.round(slowestMs)} ms, back in ${Math.round(backMs)} ms`);
});

/**
 * Reads users while Redis is away, which costs hardly more than to load them: than pages, which are read in between, when the machine
 * is as busy. Only one read a second may wait for an operation, which asks Redis whether it is there again.
 */
async function assertCheap({ service }: Outage, ids: readonly string[]): Promise<readonly UserRead[]> {
  const timeouts = () => counted(service, 'cache_redis_errors_total{kind="timeout"}');
  const [before, startedAt] = [await timeouts(), performance.now()];
  const reads: UserRead[] = [];
  const pages: { readonly ms: number }[] = [];
  for (const id of ids) {
    reads.push(await readUser(service, id));
    pages.push(await readPage(service));
  }
  const waits = (await timeouts()) - before;
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(waits <= 1 + seconds, `${waits} waits in ${seconds} s`);
  const [readMs, pageMs] = [medianMs(reads), medianMs(pages)];
  assert.ok(readMs < 2 * pageMs + AWAY_MS, `${readMs} ms a user, ${pageMs} ms a page`);
  return reads;
}

/** None took longer than an operation on top; gives how long the slowest took, in milliseconds. */
function assertInTime(reads: readonly UserRead[], missMs: number): number {
  const slowestMs = Math.max(...reads.map(({ ms }) => ms));
  assert.ok(slowestMs < missMs + OPERATION_MS + SLACK_MS, `the slowest took ${slowestMs} ms`);
  return slowestMs;
}

test("D3: a Redis that takes 50 ms is used; one that is too slow or drips costs 100 ms, then nothing; nothing fails", async (t) => {
  const outage = await beforeOutage(t);
  if (outage === undefined) return;
  const { proxy, service, ids, missMs } = outage;
  // Both ways.
  await proxy.latency(25);
  const bypassed = await answered(service, "bypass");
  const slow = await readEach(service, ids.slice(2, 12));
  assertInTime(slow, missMs);
  assert.ok(medianMs(slow) > 45, "it is slow");
  // A busy machine may make it too late now and then.
  assert.ok((await answered(service, "bypass")) <= bypassed + 2);
  assert.ok((await assertWritable(service, ids[0])) < OPERATION_MS + SLACK_MS);

  for (const [from, slowed] of [
    [12, () => proxy.latency(100)],
    [52, () => proxy.slice(1, 40)],
  ] as const) {
    await slowed();
    const first = await Promise.all(ids.slice(from, from + 8).map((id) => readUser(service, id)));
    assertInTime(first, missMs);
    assert.equal(await counted(service, "cache_breaker_open"), 1, "it is too slow");
    await assertCheap(outage, ids.slice(from + 8, from + 40));
    assert.ok((await assertWritable(service, ids[0])) < OPERATION_MS + SLACK_MS);
    await proxy.pass();
    t.diagnostic(`back in ${Math.round(await untilCached(service, ids[0]))} ms`);
  }
});

test("D11: connections that are reset again and again come back one a second at most, and reads go on", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const proxy = await createRedisProxy(redis.url);
  t.after(() => proxy.close());
  const { url } = await postgresSandbox(t, { migrations });
  const service = await startConnected(t, { DATABASE_URL: url, REDIS_URL: proxy.url });
  const [id = ""] = await createUsers(service, 1);
  const attempts: number[] = [];
  // The first of them get no further than their login, the last ones as far as a read.
  const isFatal = () => (attempts.length < 6 ? command("HELLO") : command("EVALSHA"));
  const stop = proxy.onMessage((seen) => {
    if (!isFatal()(seen)) return;
    attempts.push(performance.now());
    setImmediate(() => proxy.reset());
  });
  proxy.reset();
  await eventually(async () => (await readUser(service, id)) && attempts.length === 8, 15_000);
  stop();
  const gaps = attempts.map((at, n) => Math.round(at - (attempts[n - 1] ?? at)));
  assert.ok(Math.min(...gaps.slice(5)) > 950, `${gaps} ms between attempts`);
  assert.equal(proxy.accepted, 1 + attempts.length);
  assert.equal(await counted(service, 'cache_redis_connects_total{result="failed"}'), 6);
  // One for all that did not connect, and one for each that did and was lost.
  await eventually(() => service.lines.filter(({ msg }) => msg === "the cache has no connection").length === 3);
  const backMs = await untilCached(service, id);
  t.diagnostic(`${gaps} ms between attempts, back in ${Math.round(backMs)} ms`);
});
