import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { sleep } from "../context/index.ts";
import { hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { type FaultProxy, faultProxy } from "../testing/fault-proxy.ts";
import { ownRedis } from "../testing/own-redis.ts";
import { redisSandbox, withoutRedis } from "../testing/redis-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { type Replica, replicasUnder, Things } from "./cache.fixture.ts";

const replica = replicasUnder(testContext);

// What a busy machine adds to a limit of ours.
const SLACK_MS = 200;

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Things `k0`, `k1`, … that are all there. */
function manyThings(): Things {
  const source = new Things();
  for (let n = 0; n < 1000; n++) source.set(`k${n}`, 1);
  return source;
}

/** A replica that reaches the sandbox's Redis through a proxy. */
async function proxied(t: TestContext, source: Things): Promise<{ one: Replica; proxy: FaultProxy; direct: Replica }> {
  const { url, prefix } = await redisSandbox(t);
  const proxy = await faultProxy(t, url);
  const one = await replica(t, proxy.url, source, { service: prefix });
  return { one, proxy, direct: await replica(t, url, source, { service: prefix }) };
}

const hits = (one: Replica) => one.count("cache_requests_total", "redis_hit");

test("D1: while Redis is down everything is loaded, writes succeed, and it is used again within three seconds", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const source = manyThings();
  const one = await replica(t, redis.url, source);
  await one.get("k0");
  await redis.kill();
  await eventually(() => one.ctx.lines.some(({ msg }) => msg === "the cache has no connection"));
  const slowestMs = Math.max(...(await Promise.all([1, 2, 3].map((n) => timeOf(() => one.get(`k${n}`))))));
  assert.ok(slowestMs < 50, `a load took ${slowestMs} ms`);
  source.set("k1", 2);
  await one.things.invalidate(one.ctx, ["k1"]);
  assert.equal((await one.get("k1")).version, 2);
  await one.get("k1");
  assert.equal(await one.count("cache_requests_total", "bypass"), 5);
  await redis.restart();
  const other = await replica(t, redis.url, source);
  await other.get("k9");
  await eventually(async () => (await one.get("k9")) && (await hits(one)) > 0, 3000);
});

test("D1: a start without Redis serves loads, and uses Redis once it is there", { skip: withoutRedis }, async (t) => {
  const source = manyThings();
  const { url, prefix } = await redisSandbox(t);
  const proxy = await faultProxy(t, url);
  await proxy.refuse();
  const one = await replica(t, proxy.url, source, { service: prefix, connected: false });
  assert.equal((await one.get("k1")).version, 1);
  await eventually(async () => (await one.count("cache_redis_connects_total", "failed")) > 1);
  assert.equal(one.ctx.lines.filter(({ level }) => level === "warn").length, 1);
  await proxy.pass();
  await eventually(async () => {
    await one.get("k1");
    return (await one.count("cache_requests_total", "near_hit")) > 0;
  }, 3000);
});

test("D1: past Redis no more than 32 loads run at once, the others wait their turn, and one key is still one load", async (t) => {
  const source = manyThings();
  source.delayMs = 10;
  const one = await replica(t, "redis://127.0.0.1:1", source, { connected: false });
  const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
  await Promise.all([...keys, ...keys].map((key) => one.get(key)));
  assert.equal(source.loads, 100);
  assert.equal(source.maxLoading, 32);
  const refused = await Promise.allSettled(Array.from({ length: 800 }, (_, n) => one.get(`k${n}`)));
  const reasons = refused.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  assert.equal(reasons.length, 800 - 32 - 512);
  assert.ok(reasons.every((error) => hasCode(error, "unavailable") && error.retryAfterMs !== undefined));
});

test("D2: a Redis that hangs costs 100 ms an operation, then nothing, and nothing wrong is read when it goes on", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const source = manyThings();
  const [one, two] = [await replica(t, redis.url, source), await replica(t, redis.url, source)];
  await one.get("k0");
  await two.get("k0");
  redis.signal("SIGSTOP");
  const first = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => timeOf(() => one.get(`k${n}`))));
  assert.ok(Math.max(...first) < 100 + SLACK_MS, `the first took ${Math.max(...first)} ms`);
  source.set("k1", 2);
  const refused = await one.count("cache_breaker_refusals_total");
  await one.things.invalidate(one.ctx, ["k1"]);
  assert.equal(await one.count("cache_breaker_refusals_total"), refused + 1);
  for (let n = 10; n < 40; n++) await one.get(`k${n}`);
  const afterMs = await timeOf(async () => {
    for (let n = 40; n < 60; n++) assert.equal((await one.get(`k${n}`)).version, 1);
  });
  assert.ok(afterMs < 20 * 5 + SLACK_MS, `twenty later ones took ${afterMs} ms`);
  assert.equal((await one.get("k1")).version, 2);
  // It can't be told from one that is gone for good: what was near is dropped within a second.
  await eventually(async () => (await two.count("cache_near_flushes_total")) === 2, 2500);
  redis.signal("SIGCONT");
  await eventually(
    async () => (await one.get("k1")) && (await one.count("cache_requests_total", "near_hit")) > 0,
    4000,
  );
  assert.equal((await one.get("k1")).version, 2);
  await eventually(async () => (await two.get("k1")).version === 2, 3000);
  // What was on its way when it hung took no lease that nobody has.
  const leasedMs = await timeOf(() => two.get("k2"));
  assert.ok(leasedMs < 200, `k2 took ${leasedMs} ms`);
});

test("D3: a Redis that is slow, or drips, costs the same 100 ms, and one call a second after that", {
  skip: withoutRedis,
}, async (t) => {
  const source = manyThings();
  const { one, proxy } = await proxied(t, source);
  for (const [slowed, from] of [
    [() => proxy.latency(250), 0],
    [() => proxy.slice(1, 40), 100],
  ] as const) {
    await slowed();
    const costs: number[] = [];
    for (let n = from; n < from + 40; n++) costs.push(await timeOf(() => one.get(`k${n}`)));
    assert.ok(Math.max(...costs) < 100 + SLACK_MS, `the slowest took ${Math.max(...costs)} ms`);
    assert.ok(costs.filter((ms) => ms > 50).length <= 8, `slow ones: ${costs.filter((ms) => ms > 50)}`);
    await proxy.pass();
    await eventually(async () => (await reaches(one)) && (await one.count("cache_breaker_open")) === 0, 4000);
  }
});

/** Whether a read gets to Redis. */
async function reaches(one: Replica): Promise<boolean> {
  const before = await one.count("cache_requests_total", "bypass");
  await one.get(`k${900 + Math.floor(Math.random() * 100)}`);
  return (await one.count("cache_requests_total", "bypass")) === before;
}

test("D5: whatever stands in Redis is a miss, is counted, and is replaced", { skip: withoutRedis }, async (t) => {
  const { url, prefix, command } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const one = await replica(t, url, source, { service: prefix });
  const key = `${prefix}:thing:a`;
  await one.get("a");
  await eventually(async () => String(await command("GET", key)).startsWith("V"));
  const good = String(await command("GET", key));
  const poisons: (readonly string[])[] = [
    ["SET", key, "garbage"],
    ["SET", key, ""],
    ["SET", key, "Lorem ipsum"],
    ["SET", key, "V"],
    ["SET", key, "Vtoken:0100000000v1:{}", "PX", "5000"],
    ["SET", key, good.slice(0, -3), "PX", "5000"],
    ["SET", key, good.replace(/"version":1/, '"version":9'), "PX", "5000"],
    ["SET", key, good.replace(/:01/, ":02"), "PX", "5000"],
    ["SET", key, good],
    ["HSET", key, "a", "1"],
  ];
  for (const [n, poison] of poisons.entries()) {
    await command("DEL", key);
    await command(...poison);
    // A push may be on its way yet.
    await eventually(
      async () => (await one.get("a")) && (await one.count("cache_decode_failures_total")) === n + 1,
      1000,
    );
    assert.deepEqual(await one.get("a"), { id: "a", version: 1 });
    await eventually(
      async () => String(await command("GET", key)).startsWith("V") && Number(await command("PTTL", key)) > 0,
    );
  }
});

test("D6: what Redis could not be told is never read here, and is told once Redis is there again", {
  skip: withoutRedis,
}, async (t) => {
  const source = manyThings();
  const { one, proxy, direct } = await proxied(t, source);
  await one.get("k1");
  await eventually(
    async () => (await direct.get("k1")) && (await direct.count("cache_requests_total", "near_hit")) > 0,
  );
  await proxy.refuse();
  proxy.reset();
  await eventually(() => one.ctx.lines.some(({ msg }) => msg === "the cache has no connection"));
  source.set("k1", 2);
  await one.things.invalidate(one.ctx, ["k1"]);
  await assert.rejects(one.cache.invalidate(one.ctx, "thing", ["k1"]), (error) => hasCode(error, "unavailable"));
  assert.equal(await one.count("cache_invalidations_total", "failed"), 2);
  assert.equal((await one.get("k1")).version, 2);
  await proxy.pass();
  await eventually(async () => {
    assert.equal((await one.get("k1")).version, 2);
    return (await direct.get("k1")).version === 2;
  }, 3000);
});

test("D8: a Redis that has forgotten the scripts is told them again, and nobody notices", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const source = manyThings();
  const one = await replica(t, redis.url, source);
  for (let n = 0; n < 5; n++) {
    await redis.command("SCRIPT", "FLUSH");
    await one.get(`k${n}`);
  }
  assert.equal(await one.count("cache_requests_total", "miss"), 5);
  assert.ok((await one.count("cache_redis_errors_total", "noscript")) >= 5);
});

test("D8: a Redis without memory still answers what it has; the rest is loaded and counted", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const source = manyThings();
  const [one, two] = [await replica(t, redis.url, source), await replica(t, redis.url, source)];
  await one.get("k1");
  await eventually(async () => Number(await redis.command("DBSIZE")) === 1);
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  await two.get("k1");
  assert.equal(await hits(two), 1);
  for (let n = 2; n < 30; n++) assert.equal((await two.get(`k${n}`)).version, 1);
  assert.equal(await two.count("cache_redis_errors_total", "oom"), 28);
  assert.equal(await two.count("cache_breaker_open"), 0);
  await redis.command("CONFIG", "SET", "maxmemory", "0");
  await two.get("k30");
  assert.equal(await two.count("cache_requests_total", "miss"), 1);
});

test("D8: a Redis that can't save refuses what would change it, and is no less used for what it has", async (t) => {
  const redis = await ownRedis(t, "--save", "3600 1000");
  if (redis === undefined) return;
  const source = manyThings();
  const one = await replica(t, redis.url, source);
  assert.equal((await one.get("k1")).version, 1);
  const folder = Object.values((await redis.command("CONFIG", "GET", "dir")) ?? {}).at(-1);
  // No file can take the place of a folder that is not empty.
  mkdirSync(join(String(folder), "dump.rdb", "full"), { recursive: true });
  await redis.command("BGSAVE");
  const isRefused = () =>
    redis.command("PING").then(
      () => false,
      (error) => /^MISCONF/.test(error.message),
    );
  await eventually(isRefused);
  const loads = source.loads;
  for (const endAt = performance.now() + 1500; performance.now() < endAt; await sleep(one.ctx, 10)) await one.get("k1");
  assert.equal(source.loads, loads);
  assert.deepEqual(
    one.ctx.lines.filter(({ msg }) => msg === "the cache has no connection"),
    [],
  );
});

test("D8: a Redis that became a replica is a miss, a metric, and left for one that is found anew, with growing waits", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const proxy = await faultProxy(t, redis.url);
  const one = await replica(t, proxy.url, manyThings());
  await redis.command("REPLICAOF", "127.0.0.1", "1");
  for (const endAt = performance.now() + 2500; performance.now() < endAt; await sleep(one.ctx, 5))
    assert.equal((await one.get("k1")).version, 1);
  const refusals = await one.count("cache_redis_errors_total", "readonly");
  assert.ok(proxy.accepted >= 5 && proxy.accepted <= 8, `${proxy.accepted} connections`);
  assert.ok(refusals >= 5 && refusals <= proxy.accepted, `${refusals} refusals on ${proxy.accepted} connections`);
  await assert.rejects(one.cache.invalidate(one.ctx, "thing", ["k1"]), (error) => hasCode(error, "unavailable"));
  await redis.command("REPLICAOF", "NO", "ONE");
  await eventually(() => reaches(one), 3000);
});

test("D8: a Redis that does not let us in is away, and no password is in the log", async (t) => {
  const redis = await ownRedis(t, "--requirepass", "correct-horse");
  if (redis === undefined) return;
  const source = manyThings();
  const url = redis.url.replace("//", "//:wrong-battery@");
  const one = await replica(t, url, source, { connected: false });
  await eventually(() => one.ctx.lines.some(({ msg }) => msg === "the cache has no connection"));
  assert.equal((await one.get("k1")).version, 1);
  const log = JSON.stringify(one.ctx.lines);
  assert.ok(log.includes("WRONGPASS"), log);
  assert.ok(!log.includes("wrong-battery") && !log.includes("correct-horse"));
  await replica(t, redis.url.replace("//", "//:correct-horse@"), source);
});

test("D8: a Redis that lets nobody in any more says why in the log, once, though the connection was lost before", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const proxy = await faultProxy(t, redis.url);
  await redis.command("ACL", "SETUSER", "things", "on", ">correct-horse", "~*", "&*", "+@all");
  const one = await replica(t, proxy.url.replace("//", "//things:correct-horse@"), manyThings());
  await redis.command("ACL", "SETUSER", "things", "resetpass", ">wrong-battery");
  proxy.reset();
  await eventually(async () => (await one.count("cache_redis_connects_total", "failed")) === 4);
  const told = one.ctx.lines
    .filter(({ msg }) => msg === "the cache has no connection")
    .map((line) => JSON.stringify(line));
  assert.deepEqual(
    told.map((line) => /ECONNRESET|WRONGPASS/.exec(line)?.[0]),
    ["ECONNRESET", "WRONGPASS"],
  );
  assert.equal((await one.get("k1")).version, 1);
  await redis.command("ACL", "SETUSER", "things", "resetpass", ">correct-horse");
  await eventually(() => reaches(one), 3000);
});

test("D10: nothing outlives its life because a clock was set back, neither here nor in Redis", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix, command } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const one = await replica(t, url, source, { service: prefix, entries: { ttlMs: 2000 } });
  const key = `${prefix}:thing:a`;
  await one.get("a");
  await eventually(async () => (await one.get("a")) && (await one.count("cache_requests_total", "near_hit")) > 0);
  t.mock.method(Date, "now", () => 0);
  source.set("a", 2);
  await eventually(async () => (await one.get("a")).version === 2, 2500);
  // To Redis, a clock that is set back looks as if the entry had longer to live.
  source.set("a", 3);
  await eventually(async () => String(await command("GET", key)).startsWith("V"));
  await command("PEXPIRE", key, "3600000");
  await eventually(async () => (await one.get("a")).version === 3, 500);
  assert.ok((await one.count("cache_decode_failures_total")) >= 1);
});

test("D11: connections that are reset again and again come back one a second at most", {
  skip: withoutRedis,
}, async (t) => {
  const source = manyThings();
  const { one, proxy } = await proxied(t, source);
  const endAt = performance.now() + 8000;
  const accepted: number[] = [];
  let counted = proxy.accepted;
  while (performance.now() < endAt) {
    proxy.reset();
    if (proxy.accepted > counted) accepted.push(performance.now());
    counted = proxy.accepted;
    assert.equal((await one.get("k1")).version, 1);
    await sleep(one.ctx, 5);
  }
  assert.ok(accepted.length >= 6 && accepted.length <= 13, `${accepted.length} connections`);
  for (const [n, at] of accepted.entries()) {
    const gapMs = at - (accepted[n - 1] ?? at);
    if (n > 6) assert.ok(gapMs > 950, `connection ${n} came ${gapMs} ms after the one before`);
  }
  await eventually(async () => reaches(one), 3000);
});
