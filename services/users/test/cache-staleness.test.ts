import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { command, createRedisProxy } from "@parapet/wire";
import {
  eventually,
  type FaultProxy,
  faultProxy,
  forEachSeed,
  type OwnRedis,
  ownRedis,
  postgresSandbox,
  type SeededRandom,
  stalenessChecker,
  type TestScope,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { changeUser, createUsers, keyOf, notesIn, readUser, startConnected, untilCached } from "./cached-users.ts";
import { sendJson, userOf } from "./users-json.ts";

/** How old a read may be when nothing is broken. */
const BOUND_MS = 250;
/** How long entries are kept here, so that the end of their time is part of the test. */
const TTL_MS = 1500;
/** With its jitter, and what a busy machine takes on top. */
const TTL_BOUND_MS = 1.1 * TTL_MS + 500;
/** From one look at what changes have noted to the next, as long as it may take after a failure, and a busy machine. */
const NOTED_MS = 2 * 1.2 * 500 + 1000;
const INTERLEAVINGS = 100;
const USERS = 3;

interface Processes {
  /** The collection, as two processes serve it. */
  readonly users: readonly [string, string];
  readonly ids: readonly [string, ...string[]];
}

/** Two processes of the shipped service on one database and one Redis, and some users. */
async function startTwo(t: TestScope, redisUrls: readonly [string, string]): Promise<Processes> {
  const { url } = await postgresSandbox(t, { migrations });
  const start = (redisUrl: string) =>
    startConnected(t, { DATABASE_URL: url, REDIS_URL: redisUrl, CACHE_TTL_MS: String(TTL_MS) });
  const [one, two] = [await start(redisUrls[0]), await start(redisUrls[1])];
  const [id = "", ...ids] = await createUsers(one, USERS);
  return { users: [one.users, two.users], ids: [id, ...ids] };
}

type Disturb = (random: SeededRandom) => void;

/**
 * Interleaves one writer a user with readers in both processes, in pieces of a few milliseconds, and gives the reads that were
 * too old.
 */
async function interleave(processes: Processes, random: SeededRandom, boundMs: number, disturb: Disturb) {
  const checker = stalenessChecker({ boundMs });
  let reads = 0;
  const write = async (id: string) => {
    const reply = await sendJson("PATCH", `${random.oneOf(processes.users)}/${id}`, {
      name: String(random.below(1e9)),
    });
    if (reply.ok) checker.wrote(id, (await userOf(reply)).version);
  };
  const read = async (id: string, process: 0 | 1) => {
    const startedAt = performance.now();
    const reply = await fetch(`${processes.users[process]}/${id}`);
    assert.equal(reply.status, 200, "a read never fails because of the cache");
    checker.read(id, (await userOf(reply)).version, startedAt, `process ${process}`);
    reads++;
  };
  for (let n = 0; n < INTERLEAVINGS; n++) {
    const id = random.oneOf(processes.ids);
    const steps: (() => Promise<void>)[] = [() => write(id)];
    for (let readers = 1 + random.below(4); readers > 0; readers--) steps.push(() => read(id, random.oneOf([0, 1])));
    disturb(random);
    await Promise.all(steps.map(async (step) => delay(random.below(6)).then(step)));
    // Now and then long enough that the bound is over.
    if (random.chance(0.05)) await delay(BOUND_MS + random.below(100));
    await Promise.all([read(id, 0), read(id, 1)]);
  }
  return { reads, violations: checker.violations() };
}

function flushing(redis: OwnRedis): Disturb {
  return (random) => {
    if (random.chance(0.1)) void redis.command("FLUSHALL");
  };
}

test("D4: two processes, random writes and reads, and a Redis that is flushed: no read is older than 250 ms", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  let reads = 0;
  await forEachSeed(t, async (random, scope) => {
    const processes = await startTwo(scope, [redis.url, redis.url]);
    const outcome = await interleave(processes, random, BOUND_MS, flushing(redis));
    assert.deepEqual(outcome.violations, []);
    reads += outcome.reads;
  });
  t.diagnostic(`${reads} reads of ${USERS} users`);
});

test("D6: with one process cut off from Redis again and again no read is older than an entry may be", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  await forEachSeed(t, async (random, scope) => {
    const proxy = await faultProxy(scope, redis.url);
    const processes = await startTwo(scope, [redis.url, proxy.url]);
    const outcome = await interleave(processes, random, TTL_BOUND_MS, cutting(proxy));
    assert.deepEqual(outcome.violations, []);
  });
});

/** Resets connections, lets none through for a while, or swallows what is sent. */
function cutting(proxy: FaultProxy): Disturb {
  return (random) => {
    if (!random.chance(0.15)) return;
    const fault = random.oneOf(["reset", "refuse", "blackhole", "pass", "pass"] as const);
    if (fault === "reset" || fault === "refuse") proxy.reset();
    if (fault !== "reset") void proxy[fault]();
  };
}

test("D6: killed after its commit, before Redis heard of it: what it noted is done by the next process", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const proxy = await createRedisProxy(redis.url);
  t.after(() => proxy.close());
  const { url, database } = await postgresSandbox(t, { migrations });
  const killed = await startConnected(t, { DATABASE_URL: url, REDIS_URL: proxy.url });
  const [id = ""] = await createUsers(killed, 1);
  await untilCached(killed, id);
  let isHeld = false;
  const trap = proxy.when(command("UNLINK", keyOf(id)), "hold");
  trap.fired.then(() => {
    isHeld = true;
  });
  const change = assert.rejects(changeUser(killed, id, "1"));
  await eventually(() => isHeld);
  killed.kill("SIGKILL");
  await change;
  assert.equal(await notesIn(database), 1);
  assert.match(String(await redis.command("GET", keyOf(id))), /"version":1/);

  const next = await startConnected(t, { DATABASE_URL: url, REDIS_URL: redis.url });
  const startedAt = performance.now();
  await eventually(async () => (await readUser(next, id)).user.version === 2, NOTED_MS);
  t.diagnostic(`fresh after ${Math.round(performance.now() - startedAt)} ms`);
  await eventually(async () => (await notesIn(database)) === 0);
  assert.equal((await readUser(next, id)).user.version, 2);
});

test("D6: Redis is away for a change and comes back with what it held: the note is done then, not at the end of the entry", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const proxy = await faultProxy(t, redis.url);
  const { url, database } = await postgresSandbox(t, { migrations });
  const env = { DATABASE_URL: url, REDIS_URL: proxy.url };
  const [writer, reader] = await Promise.all([startConnected(t, env), startConnected(t, env)]);
  const [id = ""] = await createUsers(writer, 1);
  await untilCached(reader, id);
  await proxy.refuse();
  proxy.reset();
  await Promise.all([writer, reader].map((one) => one.line("the cache has no connection")));
  await changeUser(writer, id, "1");
  assert.equal((await readUser(reader, id)).user.version, 2);
  await reader.line("a background round failed");
  // It knew what it could not tell; nobody else does, but for the note.
  writer.kill("SIGKILL");
  await writer.exited;
  assert.equal(await notesIn(database), 1);
  assert.match(String(await redis.command("GET", keyOf(id))), /"version":1/);

  await proxy.pass();
  const backAt = performance.now();
  await eventually(async () => (await readUser(reader, id)) && (await notesIn(database)) === 0, 3000 + NOTED_MS);
  t.diagnostic(`told ${Math.round(performance.now() - backAt)} ms after it came back`);
  await untilCached(reader, id);
  assert.equal((await readUser(reader, id)).user.version, 2);
});
