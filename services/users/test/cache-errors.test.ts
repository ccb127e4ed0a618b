import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { encodeCommand } from "@parapet/wire";
import { eventually, faultProxy, type OwnRedis, ownRedis, postgresSandbox, rawConnection } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import {
  answered,
  assertWritable,
  type CachedUsers,
  createUsers,
  keyOf,
  readEach,
  readUser,
  startConnected,
  untilCached,
} from "./cached-users.ts";
import { counted } from "./scrape.ts";

/** Beside the service and its users the Redis that it uses; undefined where there is none to be had. */
async function withUsers(t: TestContext, count: number, ...args: readonly string[]) {
  const redis = await ownRedis(t, ...args);
  if (redis === undefined) return undefined;
  const { url } = await postgresSandbox(t, { migrations });
  const service = await startConnected(t, { DATABASE_URL: url, REDIS_URL: redis.url });
  const [first = "", ...others] = await createUsers(service, count);
  return { redis, service, first, others };
}

/** How often Redis refused something in these words. */
function refused(service: CachedUsers, kind: string): Promise<number> {
  return counted(service, `cache_redis_errors_total{kind="${kind}"}`);
}

test("D8: a Redis that has no memory left is a miss and a metric, and what changes is dropped nevertheless", async (t) => {
  const started = await withUsers(t, 30);
  if (started === undefined) return;
  const { redis, service, first, others } = started;
  await untilCached(service, first);
  await redis.command("SET", "somebody:else", "x".repeat(2 * 1024 * 1024));
  await redis.command("CONFIG", "SET", "maxmemory", "1mb");
  const bypassed = await answered(service, "bypass");
  await readEach(service, others);
  assert.equal(await answered(service, "bypass"), bypassed + others.length);
  assert.ok((await refused(service, "oom")) >= others.length);
  assert.equal(await counted(service, "cache_breaker_open"), 0);
  await assertWritable(service, first);
  assert.equal(await redis.command("EXISTS", keyOf(first)), 0);
  await redis.command("CONFIG", "SET", "maxmemory", "0");
  t.diagnostic(`used again after ${Math.round(await untilCached(service, first))} ms`);
});

test("D8: a Redis that has forgotten its scripts is told them again, and nobody notices", async (t) => {
  const started = await withUsers(t, 20);
  if (started === undefined) return;
  const { redis, service, first, others } = started;
  for (const id of others) {
    await redis.command("SCRIPT", "FLUSH");
    await readUser(service, id);
  }
  assert.equal(await answered(service, "miss"), others.length);
  assert.equal(await answered(service, "bypass"), 0);
  assert.ok((await refused(service, "noscript")) >= others.length);
  await assertWritable(service, first);
});

test("D8: a primary that became a replica is left for the one that its address leads to now, without a storm", async (t) => {
  const [primary, promoted] = [await ownRedis(t), await ownRedis(t)];
  if (primary === undefined || promoted === undefined) return;
  const address = await movableAddress(t, primary);
  const { url } = await postgresSandbox(t, { migrations });
  const service = await startConnected(t, { DATABASE_URL: url, REDIS_URL: address.url });
  const ids = await createUsers(service, 5);
  const [id = ""] = ids;
  await untilCached(service, id);
  await primary.command("REPLICAOF", "127.0.0.1", new URL(promoted.url).port);
  // For as long as the address leads to it yet.
  for (const until = performance.now() + 2500; performance.now() < until; ) {
    await readEach(service, ids);
    await assertWritable(service, id);
  }
  const { connections } = address;
  assert.ok(connections >= 5 && connections <= 8, `${connections} connections`);
  assert.ok((await refused(service, "readonly")) >= 3);

  address.leadTo(promoted);
  const backMs = await untilCached(service, id);
  await eventually(async () => (await promoted.command("EXISTS", keyOf(id))) === 1);
  await assertWritable(service, id);
  t.diagnostic(`${connections} connections in 2.5 s, back after ${Math.round(backMs)} ms`);
});

/** An address that leads to a Redis, and for new connections to another one later: what a name does for its service. */
async function movableAddress(t: TestContext, first: OwnRedis) {
  const portOf = ({ url }: OwnRedis) => Number(new URL(url).port);
  const state = { port: portOf(first), connections: 0 };
  const server = createServer((client) => {
    state.connections++;
    const redis = connect(state.port, "127.0.0.1");
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    }
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const listening = server.address();
  assert.ok(typeof listening === "object" && listening !== null);
  return {
    url: `redis://127.0.0.1:${listening.port}`,
    get connections(): number {
      return state.connections;
    },
    leadTo(redis: OwnRedis): void {
      state.port = portOf(redis);
    },
  };
}

test("D8: a Redis that lets nobody in any more is away, no password is in the log, and it is used once it does again", async (t) => {
  const redis = await ownRedis(t);
  if (redis === undefined) return;
  const proxy = await faultProxy(t, redis.url);
  const { url } = await postgresSandbox(t, { migrations });
  const [known, other] = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")];
  // Who is in stays in, whatever becomes of the password.
  const admin = rawConnection(t, Number(new URL(redis.url).port));
  const setPassword = async (password: string) => {
    const answered = admin.received.length;
    admin.send(encodeCommand("CONFIG", "SET", "requirepass", password));
    await eventually(() => admin.received.length > answered);
    assert.equal(admin.received.toString().slice(answered), "+OK\r\n");
  };
  const env = { DATABASE_URL: url, LOG_LEVEL: "debug" };
  const strangers = await startConnected(t, { ...env, REDIS_URL: proxy.url });
  await setPassword(known);
  const friends = await startConnected(t, { ...env, REDIS_URL: proxy.url.replace("//", `//:${known}@`) });
  const [id = ""] = await createUsers(friends, 1);
  await setPassword(other);
  proxy.reset();

  for (const [service, says] of [
    [strangers, "NOAUTH"],
    [friends, "WRONGPASS"],
  ] as const) {
    await eventually(() => service.stdout.includes(says));
    await readUser(service, id);
    await assertWritable(service, id);
  }
  await setPassword(known);
  const friendsMs = await untilCached(friends, id);
  await setPassword("");
  const strangersMs = await untilCached(strangers, id);
  for (const { stdout, stderr } of [friends, strangers]) {
    assert.ok(!(stdout + stderr).includes(known) && !(stdout + stderr).includes(other));
  }
  t.diagnostic(`used again after ${Math.round(friendsMs)} and ${Math.round(strangersMs)} ms`);
});

test("D8: a Redis that restarts and still reads its file is a miss and a metric, and is used when it has read it", async (t) => {
  // 400 entries of two kilobytes, five milliseconds for each.
  const slowly = ["--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024"];
  const started = await withUsers(t, 20, ...slowly);
  if (started === undefined) return;
  const { redis, service, first, others } = started;
  const fill = "for n = 1, 400 do redis.call('SET', 'somebody:' .. n, string.rep(tostring(n), 700)) end";
  await redis.command("EVAL", fill, "0");
  await redis.command("SAVE");
  const restarted = redis.restart();
  await eventually(async () => {
    await readEach(service, others);
    await assertWritable(service, first);
    return (await refused(service, "loading")) > 0;
  });
  await restarted;
  t.diagnostic(
    `${await refused(service, "loading")} refusals, used after ${Math.round(await untilCached(service, first))} ms`,
  );
});
