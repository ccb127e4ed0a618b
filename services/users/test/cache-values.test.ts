import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import {
  eventually,
  faultProxy,
  type OwnRedis,
  ownRedis,
  postgresSandbox,
  type SeededRandom,
  type StalenessChecker,
  seededRandom,
  stalenessChecker,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import {
  type CachedUsers,
  changeUser,
  createUsers,
  keyOf,
  readEach,
  readUser,
  startConnected,
} from "./cached-users.ts";
import { counted } from "./scrape.ts";

/** How old a read may be when nothing is broken. */
const BOUND_MS = 250;
const DECODE_FAILURES = 'cache_decode_failures_total{cache="users"}';

/** An entry as the cache writes it, of the right version and with the right checksum, whatever is in it. */
function entryOf(text: string): string {
  const rest = `v1:${text}`;
  return `Vtoken:01${crc32(rest).toString(16).padStart(8, "0")}${rest}`;
}

type Poison = (key: string, entry: string) => readonly string[];

const put = (change: (entry: string) => string, ...life: string[]): Poison => {
  return (key, entry) => ["SET", key, change(entry), ...life];
};
const jsonIn = (entry: string) => entry.slice(entry.indexOf("{"));
const A_MINUTE = ["PX", "60000"];

/** What somebody may have put in the place of an entry, by what it is. */
const poisons: Readonly<Record<string, Poison>> = {
  garbage: put(() => "garbage"),
  nothing: put(() => ""),
  "bytes that are no text": (key) => ["EVAL", "return redis.call('SET', KEYS[1], 'V\\255\\254\\0:')", "1", key],
  "a megabyte": put(() => `V:${"x".repeat(1024 * 1024)}`, ...A_MINUTE),
  "an entry of another version": put((entry) => entry.replace(/:01/, ":02"), ...A_MINUTE),
  "half an entry": put((entry) => entry.slice(0, entry.length / 2), ...A_MINUTE),
  "an entry that was tampered with": put((entry) => entry.replace('"name":"0"', '"name":"1"'), ...A_MINUTE),
  "an entry that never ends": put((entry) => entry),
  "an entry that outlives what it may": put((entry) => entry, "PX", "3600000"),
  "a lease that never ends": put(() => "Lsomebody"),
  "a list": (key) => ["RPUSH", key, "a"],
  "a hash": (key) => ["HSET", key, "a", "1"],
  "what is no JSON": put(() => entryOf("{"), ...A_MINUTE),
  "what is no user": put(() => entryOf("{}"), ...A_MINUTE),
  "a user of another shape": put((entry) => entryOf(jsonIn(entry).replace(/"createdAt"/, '"made"')), ...A_MINUTE),
};

/** Whether Redis holds what the service put there for each of these users, for as long as it may. */
async function areKept(redis: OwnRedis, ids: readonly string[]): Promise<boolean> {
  for (const id of ids) {
    if ((await redis.command("TYPE", keyOf(id))) !== "string") return false;
    const entry = String(await redis.command("GET", keyOf(id)));
    const leftMs = Number(await redis.command("PTTL", keyOf(id)));
    if (!/^V(?!token)[^:]+:01.*"name":"0"/.test(entry) || leftMs <= 0 || leftMs > 60_000) return false;
  }
  return true;
}

test("D5: whatever stands in the place of a user, the user is read from the database and takes its place again", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const { url } = await postgresSandbox(t, { migrations });
  const service = await startConnected(t, { DATABASE_URL: url, REDIS_URL: redis.url });
  const ids = await createUsers(service, 3);
  const users = (await readEach(service, ids)).map(({ user }) => user);
  for (const [what, poison] of Object.entries(poisons)) {
    await eventually(() => areKept(redis, ids));
    const failures = await counted(service, DECODE_FAILURES);
    for (const key of ids.map(keyOf)) {
      const entry = String(await redis.command("GET", key));
      await redis.command("DEL", key);
      await redis.command(...poison(key, entry));
    }
    await eventually(async () => {
      const read = (await readEach(service, ids)).map(({ user }) => user);
      assert.deepEqual(read, users, what);
      return (await counted(service, DECODE_FAILURES)) === failures + ids.length;
    });
  }
  await eventually(() => areKept(redis, ids));
});

interface Race {
  readonly writer: CachedUsers;
  /** A process whose database takes its time to answer. */
  readonly reader: CachedUsers;
  readonly checker: StalenessChecker;
  readonly random: SeededRandom;
}

async function change({ writer, checker, random }: Race, id: string): Promise<number> {
  const { user } = await changeUser(writer, id, String(random.below(1e9)));
  checker.wrote(id, user.version);
  return user.version;
}

async function read({ checker }: Race, service: CachedUsers, id: string): Promise<number> {
  const startedAt = performance.now();
  const { user } = await readUser(service, id);
  checker.read(id, user.version, startedAt, service.url);
  return user.version;
}

/** A slow read and a change meanwhile; whether the read was of something that had changed before it could be kept. */
async function isOvertaken(race: Race, id: string): Promise<boolean> {
  const { writer, reader, random } = race;
  await change(race, id);
  let isRead = false;
  const reading = read(race, reader, id).finally(() => {
    isRead = true;
  });
  await delay(random.below(60));
  const version = await change(race, id);
  const wasUnderWay = !isRead;
  const isOld = (await reading) < version;
  await delay(BOUND_MS + 10);
  await Promise.all([read(race, reader, id), read(race, writer, id)]);
  return wasUnderWay && isOld;
}

test("D7: in hundreds of races of a slow reader with a writer elsewhere no read is older than 250 ms", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const { url } = await postgresSandbox(t, { migrations });
  const proxy = await faultProxy(t, url);
  const env = { DATABASE_URL: url, REDIS_URL: redis.url };
  const [writer, reader] = [await startConnected(t, env), await startConnected(t, { ...env, DATABASE_URL: proxy.url })];
  const ids = await createUsers(writer, 30);
  // Both ways.
  await proxy.latency(30);
  const checker = stalenessChecker({ boundMs: BOUND_MS });
  const race = { writer, reader, checker, random: seededRandom(t) };
  const races = 8;
  let overtaken = 0;
  const raceOn = async (id: string) => {
    for (let n = 0; n < races; n++) if (await isOvertaken(race, id)) overtaken++;
  };
  await Promise.all(ids.map(raceOn));
  assert.deepEqual(checker.violations(), []);
  t.diagnostic(`${overtaken} of ${ids.length * races} reads were overtaken`);
  assert.ok(overtaken > 10, `${overtaken} reads were overtaken`);
});
