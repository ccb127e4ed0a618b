import assert from "node:assert/strict";
import test from "node:test";
import { sleep } from "../context/index.ts";
import { eventually } from "../testing/eventually.ts";
import { ownRedis } from "../testing/own-redis.ts";
import { redisSandbox, withoutRedis } from "../testing/redis-sandbox.ts";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { type StalenessChecker, stalenessChecker } from "../testing/staleness.ts";
import { testContext } from "../testing/test-context.ts";
import { type Replica, replicasUnder, Things } from "./cache.fixture.ts";

const replica = replicasUnder(testContext);

// A push takes a fraction of a millisecond; the rest is for a busy machine, on which three processes share two cores.
const BOUND_MS = 250;

interface Play {
  readonly source: Things;
  readonly replicas: readonly [Replica, ...Replica[]];
  readonly checker: StalenessChecker;
  readonly random: SeededRandom;
  version: number;
}

/** Reads random keys in random replicas until told to stop. */
async function readOn({ source, replicas, checker, random }: Play, keys: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const one = random.oneOf(replicas);
    const key = `k${random.below(keys)}`;
    const startedAt = performance.now();
    const thing = await one.get(key);
    checker.read(key, thing.version, startedAt, String(replicas.indexOf(one)));
    if (random.chance(0.3)) await sleep(one.ctx, random.below(4));
  }
  assert.ok(source.loads > 0);
}

/** Writes random keys, one after the other, and invalidates them by a random replica. */
async function writeOn(play: Play, keys: number, writes: number): Promise<void> {
  const { source, replicas, checker, random } = play;
  for (let write = 0; write < writes; write++) {
    const one = random.oneOf(replicas);
    const key = `k${random.below(keys)}`;
    play.version++;
    const { version } = play;
    source.set(key, version);
    await one.things.invalidate(one.ctx, [key]);
    checker.wrote(key, version);
    if (random.chance(0.5)) await sleep(one.ctx, random.below(6));
  }
}

test("D4: a flush under load costs one load a key and process, and sets nothing stale", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const source = new Things();
  source.delayMs = 2;
  const keys = 5;
  for (let n = 0; n < keys; n++) source.set(`k${n}`, 1);
  const replicas = [await replica(t, redis.url, source), await replica(t, redis.url, source)] as const;
  const checker = stalenessChecker({ boundMs: BOUND_MS });
  const play = { source, replicas, checker, random: seededRandom(t), version: 1 };
  let isOver = false;
  const readers = Array.from({ length: 20 }, () => readOn(play, keys, () => isOver));
  const flushes = 10;
  for (let flush = 0; flush < flushes; flush++) {
    await redis.command("FLUSHALL");
    await sleep(replicas[0].ctx, 100);
  }
  // Where the machine is too busy for Redis to answer in time, loads go past it, which is no stampede.
  const misses = await Promise.all(replicas.map((one) => one.count("cache_requests_total", '"miss"')));
  await writeOn(play, keys, 100);
  for (let flush = 0; flush < 5; flush++) {
    await Promise.all([redis.command("FLUSHALL"), writeOn(play, keys, 20)]);
  }
  isOver = true;
  await Promise.all(readers);
  for (const loads of misses) assert.ok(loads <= (flushes + 1) * keys, `${misses} loads`);
  assert.deepEqual(checker.violations(), []);
});

test("D7: a slow reader can't fill in what a writer has changed meanwhile", { skip: withoutRedis }, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  const options = { service: prefix };
  const [one, two] = [await replica(t, url, source, options), await replica(t, url, source, options)];
  for (const [n, writer] of [one, two].entries()) {
    const key = `k${n}`;
    source.set(key, 1);
    source.delayMs = 300;
    const slow = one.get(key);
    await eventually(() => source.loading === 1);
    source.set(key, 2);
    await writer.things.invalidate(writer.ctx, [key]);
    assert.equal((await slow).version, 1);
    source.delayMs = 0;
    await eventually(async () => (await one.get(key)).version === 2, 500);
    for (const reader of [one, two]) assert.equal((await reader.get(key)).version, 2);
  }
});

test("D7: in a thousand random writes between random reads, nobody reads what was overwritten before", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const random = seededRandom(t);
  const source = new Things();
  const keys = 3;
  for (let n = 0; n < keys; n++) source.set(`k${n}`, 1);
  const options = { service: prefix, entries: { ttlMs: 400 } };
  const replicas = [await replica(t, url, source, options), await replica(t, url, source, options)] as const;
  const play = { source, replicas, checker: stalenessChecker({ boundMs: BOUND_MS }), random, version: 1 };
  let isOver = false;
  const readers = Array.from({ length: 8 }, () => readOn(play, keys, () => isOver));
  for (let round = 0; round < 20; round++) {
    source.delayMs = random.below(12);
    await writeOn(play, keys, 50);
  }
  isOver = true;
  await Promise.all(readers);
  assert.deepEqual(play.checker.violations(), []);
});

test("D7: who has invalidated never reads what was before, in a thousand random writes", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const random = seededRandom(t);
  const source = new Things();
  source.set("k0", 1);
  const one = await replica(t, url, source, { service: prefix });
  const play = { source, replicas: [one] as const, checker: stalenessChecker({ boundMs: 0 }), random, version: 1 };
  let isOver = false;
  const readers = Array.from({ length: 5 }, () => readOn(play, 1, () => isOver));
  for (let round = 0; round < 20; round++) {
    source.delayMs = random.below(6);
    await writeOn(play, 1, 50);
  }
  isOver = true;
  await Promise.all(readers);
  assert.deepEqual(play.checker.violations(), []);
});

test("D9: two hundred readers of an entry that is gone are one load, in one process and in two", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("hot", 1);
  source.delayMs = 60;
  const options = { service: prefix };
  const replicas = [await replica(t, url, source, options), await replica(t, url, source, options)] as const;
  const startedAt = performance.now();
  const things = await Promise.all(Array.from({ length: 200 }, (_, n) => replicas[n % 2]?.get("hot")));
  const tookMs = performance.now() - startedAt;
  assert.equal(source.loads, 1);
  assert.ok(things.every((thing) => thing?.version === 1));
  assert.ok(tookMs < 60 + 50 + 150, `took ${tookMs} ms`);
  assert.equal(
    (await replicas[0].count("cache_lease_waits_total")) + (await replicas[1].count("cache_lease_waits_total")),
    1,
  );
});

test("D9: a load elsewhere that takes too long is waited for 200 ms, and then made here too, without being kept", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix, command } = await redisSandbox(t);
  const source = new Things();
  source.set("hot", 1);
  const one = await replica(t, url, source, { service: prefix });
  await command("SET", `${prefix}:thing:hot`, "Lsomebody", "PX", "5000");
  const startedAt = performance.now();
  assert.equal((await one.get("hot")).version, 1);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs > 190 && tookMs < 500, `took ${tookMs} ms`);
  assert.equal(await command("GET", `${prefix}:thing:hot`), "Lsomebody");
});

for (const [where, isShared] of [
  ["in Redis", true],
  ["in the process alone", false],
] as const) {
  test(`D9: a hot entry ${where} is loaded anew before it expires, once, and nobody waits for it`, {
    skip: withoutRedis,
  }, async (t) => {
    const { url, prefix } = await redisSandbox(t);
    const source = new Things();
    source.set("hot", 1);
    const options = { service: prefix, entries: { ttlMs: 1000 } };
    const at = isShared ? url : undefined;
    const replicas = [
      await replica(t, at, source, options),
      ...(isShared ? [await replica(t, at, source, options)] : []),
    ];
    for (const one of replicas) await one.get("hot");
    const [before, endAt] = [source.loads, performance.now() + 3500];
    while (performance.now() < endAt) {
      for (const one of replicas) await one.get("hot");
      await sleep(replicas[0]?.ctx ?? assert.fail(), 2);
    }
    const sums = async (name: string, part: string) =>
      (await Promise.all(replicas.map((one) => one.count(name, part)))).reduce((sum, value) => sum + value, 0);
    const refreshes = () => sums("cache_refreshes_total", '"ok"');
    // The last one may be under way yet.
    await eventually(async () => (await refreshes()) === source.loads - before);
    const refreshed = await refreshes();
    assert.ok(refreshed >= 3 && refreshed <= 5, `${refreshed} refreshes`);
    assert.equal(await sums("cache_requests_total", "miss"), before);
  });
}

test("an entry that changes while it is loaded anew is not replaced by what it was", {
  skip: withoutRedis,
}, async (t) => {
  const { url, prefix } = await redisSandbox(t);
  const source = new Things();
  source.set("hot", 1);
  const one = await replica(t, url, source, { service: prefix, entries: { ttlMs: 600 } });
  await one.get("hot");
  source.delayMs = 100;
  await eventually(async () => (await one.get("hot")) && source.loading === 1);
  source.set("hot", 2);
  await one.things.invalidate(one.ctx, ["hot"]);
  assert.equal((await one.get("hot")).version, 2);
  await eventually(async () => (await one.count("cache_refreshes_total", "outdated")) === 1);
  assert.equal((await one.get("hot")).version, 2);
});
