import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type FaultProxy,
  faultProxy,
  forEachSeed,
  type OwnRedis,
  ownRedis,
  postgresSandbox,
  type SeededRandom,
  stalenessChecker,
  startService,
  type TestScope,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { sendJson, userOf } from "./users-json.ts";
import { SERVER } from "./users-process.ts";

/** How old a read may be when nothing is broken. */
const BOUND_MS = 250;
/** How long entries are kept here, so that the end of their time is part of the test. */
const TTL_MS = 1500;
/** With its jitter, and what a busy machine takes on top. */
const TTL_BOUND_MS = 1.1 * TTL_MS + 500;
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
  const start = async (redisUrl: string) => {
    const env = { DATABASE_URL: url, REDIS_URL: redisUrl, CACHE_TTL_MS: String(TTL_MS) };
    const service = await startService(t, SERVER, { env });
    await Promise.all([service.line("the database is ready"), service.line("the cache is connected")]);
    return `${service.url}/api/v1/users`;
  };
  const users = [await start(redisUrls[0]), await start(redisUrls[1])] as const;
  const create = async (n: number) =>
    (await userOf(await sendJson("POST", users[0], { name: "0", email: `user-${n}@example.com` }))).id;
  return { users, ids: [await create(0), await create(1), await create(2)] };
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
