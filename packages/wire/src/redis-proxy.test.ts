import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { createClient } from "@redis/client";
import { withoutRedis } from "parapet/testing";
import { command, invalidation, replyToCommand } from "./redis-matches.ts";
import { createRedisProxy } from "./redis-proxy.ts";
import { respText } from "./resp-value.ts";

const REDIS_URL = process.env.REDIS_URL || "redis://127.0.0.1:6379";
const skip = withoutRedis;

interface Options {
  readonly RESP?: 2 | 3;
  readonly emitInvalidate?: boolean;
}

async function connect(t: TestContext, url: string, options: Options = {}) {
  const client = createClient({ RESP: 3, ...options, url, socket: { reconnectStrategy: false } });
  // A test that cuts the connection looks at what fails because of it.
  client.on("error", () => {});
  await client.connect();
  t.after(() => client.destroy());
  return client;
}

async function remove(key: string): Promise<void> {
  const client = await createClient({ url: REDIS_URL }).connect();
  await client.del(key);
  client.destroy();
}

/** A proxy, a client behind it and one beside it, and a key that is gone with the test. */
async function connected(t: TestContext, options: Options = {}) {
  const proxy = await createRedisProxy(REDIS_URL);
  t.after(() => proxy.close());
  const key = `parapet_test_wire_${randomUUID()}:k`;
  t.after(() => remove(key));
  return { proxy, direct: await connect(t, REDIS_URL), key, client: await connect(t, proxy.url, options) };
}

for (const RESP of [2, 3] as const) {
  test(`a client that speaks RESP${RESP} works through the proxy, and its replies are told apart`, {
    skip,
  }, async (t) => {
    const { proxy, client, key } = await connected(t, { RESP });
    const answers: string[] = [];
    proxy.onMessage((seen) => {
      if (seen.from === "server") answers.push(`${seen.command?.name} ${seen.message.value.kind}`);
    });
    const replies = [client.hSet(key, { a: "1", b: "2" }), client.hGetAll(key), client.hGet(key, "none")] as const;
    const [, all, none] = await Promise.all(replies);
    assert.deepEqual([{ ...all }, none], [{ a: "1", b: "2" }, null]);
    await assert.rejects(client.get(key), /WRONGTYPE/);
    const kinds = RESP === 2 ? ["array", "bulk"] : ["map", "null"];
    assert.deepEqual(answers, ["HSET integer", `HGETALL ${kinds[0]}`, `HGET ${kinds[1]}`, "GET error"]);
  });
}

test("a command that is held has not happened; released, it does", { skip }, async (t) => {
  const { proxy, client, direct, key } = await connected(t);
  const trap = proxy.when(command("SET", key), "hold");
  const set = client.set(key, "1");
  const seen = await trap.fired;
  assert.ok(seen.from === "client");
  assert.deepEqual(seen.message.args.map(String), [key, "1"]);
  assert.equal(await direct.get(key), null);
  trap.release();
  await set;
  assert.equal(await direct.get(key), "1");
});

test("a command whose reply is cut has happened, and its client does not know", { skip }, async (t) => {
  const { proxy, client, direct, key } = await connected(t);
  const trap = proxy.when(replyToCommand("SET", key), "cut");
  await assert.rejects(client.set(key, "1"));
  const seen = await trap.fired;
  assert.ok(seen.from === "server");
  assert.equal(respText(seen.message.value), "OK");
  assert.equal(await direct.get(key), "1");
});

test("of several commands under way the reply to one is caught", { skip }, async (t) => {
  const { proxy, client, key } = await connected(t);
  const trap = proxy.when(replyToCommand("GET", key), "hold");
  let values: readonly (string | null)[] | undefined;
  const got = Promise.all([client.echo("before"), client.get(key), client.echo("behind")]).then((all) => {
    values = all;
  });
  const seen = await trap.fired;
  assert.deepEqual([seen.command?.name, values], ["GET", undefined]);
  trap.release();
  await got;
  assert.deepEqual(values, ["before", null, "behind"]);
});

test("an invalidation that is held leaves its client with what it read; released, it comes", { skip }, async (t) => {
  const { proxy, client, direct, key } = await connected(t, { emitInvalidate: true });
  const invalidated: string[] = [];
  client.on("invalidate", (changed) => invalidated.push(String(changed)));
  await client.get(key);
  const trap = proxy.when(invalidation(key), "hold");
  await direct.set(key, "2");
  const seen = await trap.fired;
  assert.deepEqual([seen.command, invalidated], [undefined, []]);
  const told = once(client, "invalidate");
  trap.release();
  await told;
  assert.deepEqual(invalidated, [key]);
});

test("an invalidation that is swallowed never comes, and replies go on", { skip }, async (t) => {
  const { proxy, client, direct, key } = await connected(t, { emitInvalidate: true });
  const invalidated: string[] = [];
  client.on("invalidate", (changed) => invalidated.push(String(changed)));
  await client.get(key);
  const trap = proxy.when(invalidation(), "swallow");
  await direct.set(key, "2");
  await trap.fired;
  assert.equal(await client.get(key), "2");
  assert.deepEqual(invalidated, []);
});

test("a subscriber hears through the proxy what is published, in RESP2 and RESP3", { skip }, async (t) => {
  for (const RESP of [2, 3] as const) {
    const { proxy, client, direct, key } = await connected(t, { RESP });
    const subscribed = proxy.when(replyToCommand("SUBSCRIBE", key));
    const heard: string[] = [];
    const published = new Promise<void>((resolve) => {
      client.subscribe(key, (message) => {
        heard.push(message);
        resolve();
      });
    });
    await subscribed.fired;
    await direct.publish(key, "hello");
    await published;
    assert.deepEqual(heard, ["hello"]);
  }
});

test("what is no RESP resets its connection, and the traps that wait learn of it", { skip }, async (t) => {
  const proxy = await createRedisProxy(REDIS_URL);
  t.after(() => proxy.close());
  const trap = proxy.when(command("PING"));
  const refused = assert.rejects(fetch(proxy.url.replace("redis:", "http:")));
  await assert.rejects(trap.fired, { code: "invalid" });
  await refused;
});
