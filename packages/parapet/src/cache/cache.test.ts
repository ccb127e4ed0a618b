import assert from "node:assert/strict";
import test from "node:test";
import { withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { ownRedis } from "../testing/own-redis.ts";
import { redisSandbox, withoutRedis } from "../testing/redis-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { replicasUnder, Things, thingOptions } from "./cache.fixture.ts";
import { createCache } from "./cache.ts";

const replica = replicasUnder(testContext);

test("what was loaded once comes from Redis in another process, and from the process itself after that", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const [one, two] = [
    await replica(t, url, source, { service: prefix }),
    await replica(t, url, source, { service: prefix }),
  ];
  assert.deepEqual(await one.get("a"), { id: "a", version: 1 });
  await eventually(async () => (await two.get("a")) && (await two.count("cache_requests_total", "redis_hit")) === 1);
  assert.deepEqual(await two.get("a"), { id: "a", version: 1 });
  assert.equal(await two.count("cache_requests_total", "near_hit"), 1);
  assert.equal(source.loads, 1);
  assert.equal(await one.count("cache_requests_total", "miss"), 1);
  assert.equal(await one.count("cache_load_duration_seconds_count"), 1);
});

test("whoever fills an entry has it near, without asking Redis again", { skip: withoutRedis }, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const one = await replica(t, url, source, { service: prefix });
  await one.get("a");
  await eventually(async () => (await one.get("a")) && (await one.count("cache_requests_total", "near_hit")) > 0);
  assert.equal(source.loads, 1);
});

test("that there is none is remembered, here and elsewhere, for as long as was said", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  const options = { service: prefix, entries: { missingTtlMs: 300 } };
  const [one, two] = [await replica(t, url, source, options), await replica(t, url, source, options)];
  const isMissing = (error: unknown) => hasCode(error, "not_found") && error.message === "there is no such thing";
  await assert.rejects(
    one.get("a"),
    (error) => isMissing(error) && hasCode(error, "not_found") && error.fields.id === "a",
  );
  await assert.rejects(one.get("a"), isMissing);
  await assert.rejects(two.get("a"), isMissing);
  assert.equal(source.loads, 1);
  source.set("a", 1);
  await eventually(() => one.get("a").then(Boolean, () => false), 2000);
  assert.equal(source.loads, 2);
});

test("twenty that ask at once are one load, each with its own end", { skip: withoutRedis }, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  source.delayMs = 50;
  const one = await replica(t, url, source, { service: prefix });
  const hasty = withTimeout(one.ctx, 10, (ctx) => one.get("a", ctx));
  const others = Array.from({ length: 19 }, () => one.get("a"));
  await assert.rejects(hasty, (error) => hasCode(error, "timeout"));
  const things = await Promise.all(others);
  assert.equal(source.loads, 1);
  assert.ok(things.every((thing) => thing === things[0] && Object.isFrozen(thing)));
  assert.equal(await one.count("cache_requests_total", "shared"), 19);
});

test("a load that nobody waits for any more is canceled, and its lease given back", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  source.delayMs = 4000;
  const one = await replica(t, url, source, { service: prefix });
  await assert.rejects(
    withCancel(one.ctx, async (ctx, cancel) => {
      const reading = one.get("a", ctx);
      await eventually(() => source.loading === 1);
      cancel(new AppError("canceled", "gone"));
      return reading;
    }),
    (error) => hasCode(error, "canceled"),
  );
  await eventually(() => source.loading === 0, 1000);
  source.delayMs = 0;
  const startedAt = performance.now();
  await one.get("a");
  assert.ok(performance.now() - startedAt < 150, "nobody had to wait for a lease");
});

test("a load that fails is thrown to all who wait, kept by nobody, and its lease given back", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  source.failure = new AppError("unavailable", "the database is away");
  const one = await replica(t, url, source, { service: prefix });
  const results = await Promise.allSettled([one.get("a"), one.get("a")]);
  assert.ok(results.every((result) => result.status === "rejected" && result.reason === source.failure));
  source.failure = undefined;
  assert.equal((await one.get("a")).version, 1);
  assert.equal(await one.count("cache_requests_total", "bypass"), 0);
});

test("a caller that is done already loads nothing", async (t) => {
  const source = new Things();
  const one = await replica(t, undefined, source);
  one.ctx.cancel(new AppError("canceled", "gone"));
  await assert.rejects(one.get("a"), (error) => hasCode(error, "canceled"));
  assert.equal(source.loads, 0);
});

test("an invalidation reaches the process itself at once, and the others soon", { skip: withoutRedis }, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const options = { service: prefix };
  const [one, two] = [await replica(t, url, source, options), await replica(t, url, source, options)];
  await one.get("a");
  await eventually(async () => (await two.get("a")) && (await two.count("cache_requests_total", "near_hit")) > 0);
  source.set("a", 2);
  await one.things.invalidate(one.ctx, ["a"]);
  assert.equal((await one.get("a")).version, 2);
  await eventually(async () => (await two.get("a")).version === 2, 500);
  assert.equal(await one.count("cache_invalidations_total", "ok"), 1);
});

test("a kind can be invalidated by its name, also by a process that does not know it", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const one = await replica(t, url, source, { service: prefix });
  const two = await replica(t, url, source, { service: prefix, entries: { name: "other" } });
  await one.get("a");
  source.set("a", 2);
  await two.cache.invalidate(two.ctx, "thing", ["a"]);
  await eventually(async () => (await one.get("a")).version === 2, 500);
  source.set("a", 3);
  await one.cache.invalidate(one.ctx, "thing", ["a"]);
  assert.equal((await one.get("a")).version, 3);
});

test("zero, one and many keys can be invalidated together", { skip: withoutRedis }, async (t) => {
  const { url, prefix, command } = await redisSandbox(t);
  const source = new Things();
  const one = await replica(t, url, source, { service: prefix });
  const keys = Array.from({ length: 501 }, (_, n) => `k${n}`);
  for (const key of keys) source.set(key, 1);
  const held = async () => Number(await command("EXISTS", ...keys.map((key) => `${prefix}:thing:${key}`)));
  await eventually(async () => {
    for (const key of keys) await one.get(key);
    return (await held()) === 501;
  }, 20_000);
  await one.things.invalidate(one.ctx, []);
  assert.equal(await held(), 501);
  await one.things.invalidate(one.ctx, ["k0"]);
  assert.equal(await held(), 500);
  await one.things.invalidate(one.ctx, keys);
  assert.equal(await held(), 0);
});

test("a caller that comes after an invalidation never gets a load that began before it", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  source.delayMs = 100;
  const options = { service: prefix };
  const [one, two] = [await replica(t, url, source, options), await replica(t, url, source, options)];
  for (const [writer, version] of [
    [one, 2],
    [two, 3],
  ] as const) {
    const before = one.get("a");
    await eventually(() => source.loading === 1);
    source.set("a", version);
    await writer.things.invalidate(writer.ctx, ["a"]);
    // What another process says takes its time; that it was heard shows in a load of its own.
    await eventually(async () => (await one.get("a")).version === version, 1000);
    assert.equal((await before).version, version - 1);
    await one.things.invalidate(one.ctx, ["a"]);
  }
});

test("keys of one kind never meet those of another, nor those of another service", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("a", 1);
  const one = await replica(t, url, source, { service: prefix });
  const other = one.cache.entries({ ...thingOptions, name: "other" });
  const two = await replica(t, url, source, { service: `${prefix}:x` });
  await one.get("a");
  await other.get(one.ctx, "a", source.load("a"));
  await two.get("a");
  assert.equal(source.loads, 3);
});

test("a key that is no text is loaded each time, and kept nowhere", { skip: withoutRedis }, async (t) => {
  const { url, prefix, command } = await redisSandbox(t);
  const source = new Things();
  const one = await replica(t, url, source, { service: prefix });
  for (const key of ["\ud800", "\udfff", "x".repeat(513)]) {
    source.set(key, 1);
    await one.get(key);
    await one.get(key);
  }
  assert.equal(source.loads, 6);
  assert.deepEqual(await command("KEYS", `${prefix}:*`), []);
});

test("names that are taken or unfit, and lives that make no sense, are bugs; a wrong URL is the configuration's", () => {
  const { log } = testContext();
  const cache = createCache(undefined, { log, metrics: createRegistry() });
  cache.entries(thingOptions);
  for (const options of [{}, { name: "Thing" }, { name: "" }, { name: "b", version: 256 }, { name: "c", ttlMs: 0 }]) {
    assert.throws(
      () => cache.entries({ ...thingOptions, ...options }),
      (error) => hasCode(error, "internal"),
    );
  }
  for (const url of ["", "localhost:6379", "http://127.0.0.1", "redis://127.0.0.1/abc", "redis://:hunter2@/%"]) {
    assert.throws(
      () => createCache(url, { log }),
      (error) => hasCode(error, "invalid") && !JSON.stringify(error).includes("hunter2"),
    );
  }
});

test("without a URL the process keeps what it loads for itself, and forgets it in time", async (t) => {
  const source = new Things();
  source.set("a", 1);
  source.delayMs = 5;
  const one = await replica(t, undefined, source, { entries: { ttlMs: 200, missingTtlMs: 100 } });
  await Promise.all(Array.from({ length: 20 }, () => one.get("a")));
  await one.get("a");
  assert.equal(source.loads, 1);
  for (let ask = 0; ask < 2; ask++) await assert.rejects(one.get("b"), (error) => hasCode(error, "not_found"));
  assert.equal(source.loads, 2);
  source.set("a", 2);
  source.set("b", 1);
  await eventually(async () => (await one.get("a")).version === 2, 1000);
  await eventually(() => one.get("b").then(Boolean, () => false), 1000);
  source.set("a", 3);
  await one.things.invalidate(one.ctx, ["a"]);
  assert.equal((await one.get("a")).version, 3);
});

test("a start does not wait for Redis, a stop while starting neither, and after a stop everything is loaded", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  redis.signal("SIGSTOP");
  const source = new Things();
  source.set("a", 1);
  const startedAt = performance.now();
  const one = await replica(t, redis.url, source, { connected: false });
  await one.get("a");
  await one.cache.stop(testContext());
  assert.ok(performance.now() - startedAt < 1000);
  redis.signal("SIGCONT");
  await one.get("a");
  assert.equal(source.loads, 2);
});

test("a stop of a connected cache lets go of its connection at once, also when Redis hangs", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const source = new Things();
  source.set("a", 1);
  const one = await replica(t, redis.url, source);
  const two = await replica(t, redis.url, source);
  await one.cache.stop(testContext());
  await eventually(async () => !String(await redis.command("CLIENT", "LIST", "TYPE", "normal")).includes("id=1 "));
  redis.signal("SIGSTOP");
  const reading = two.get("a");
  const startedAt = performance.now();
  await two.cache.stop(testContext());
  assert.ok(performance.now() - startedAt < 1000);
  assert.equal((await reading).version, 1);
  redis.signal("SIGCONT");
});
