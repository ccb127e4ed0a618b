import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { redisSandbox, withoutRedis } from "../testing/redis-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { instrumentsOf } from "./instruments.ts";
import { RedisLink } from "./redis-link.ts";
import { RedisStore } from "./redis-store.ts";

async function storeOf(t: TestContext) {
  const { url, prefix, command } = await redisSandbox(t);
  const ctx = testContext();
  const [changed, state] = [[] as string[], { flushes: 0, connects: 0 }];
  const link = new RedisLink({
    url,
    service: prefix,
    log: ctx.log,
    instruments: instrumentsOf(createRegistry()),
    onInvalidate: (key) => changed.push(key),
    onFlush: () => state.flushes++,
    onConnected: () => state.connects++,
  });
  t.after(() => link.stop(testContext()));
  link.start();
  await eventually(() => state.connects === 1);
  const store = new RedisStore(link, prefix);
  return { ctx, store, key: store.keyOf("thing", "a:b"), changed, command };
}

test("a key is made of the service, the kind and the key, and taken apart again", { skip: withoutRedis }, async (t) => {
  const { store, key } = await storeOf(t);
  assert.deepEqual(store.partsOf(key), { name: "thing", key: "a:b" });
  assert.deepEqual(store.partsOf(store.keyOf("thing", "")), { name: "thing", key: "" });
  assert.notEqual(store.newToken(), store.newToken());
});

test("one takes the lease and the others wait, and only who has it fills", { skip: withoutRedis }, async (t) => {
  const { ctx, store, key } = await storeOf(t);
  assert.deepEqual(await store.claim(ctx, key, "one"), { kind: "owner" });
  assert.deepEqual(await store.claim(ctx, key, "two"), { kind: "wait" });
  assert.equal(await store.fill(ctx, key, { token: "two", entry: "x", lifeMs: 5000 }), false);
  assert.equal(await store.fill(ctx, key, { token: "one", entry: "a:b", lifeMs: 5000 }), true);
  const hit = await store.claim(ctx, key, "two");
  assert.ok(hit.kind === "hit" && hit.token === "one" && hit.entry === "a:b" && hit.remainingMs > 4000);
  assert.equal(await store.fill(ctx, key, { token: "one", entry: "y", lifeMs: 5000 }), false);
});

test("a lease that was given back is the next one's, and nobody else gives it back", {
  skip: withoutRedis,
}, async (t) => {
  const { ctx, store, key } = await storeOf(t);
  await store.claim(ctx, key, "one");
  await store.release(ctx, key, "two");
  assert.deepEqual(await store.claim(ctx, key, "two"), { kind: "wait" });
  await store.release(ctx, key, "one");
  assert.deepEqual(await store.claim(ctx, key, "two"), { kind: "owner" });
});

test("an entry is replaced by who knows its token, and not when it is gone or another", {
  skip: withoutRedis,
}, async (t) => {
  const { ctx, store, key } = await storeOf(t);
  const replace = (oldToken: string, token: string) =>
    store.replace(ctx, key, { oldToken, token, entry: token, lifeMs: 5000 });
  assert.equal(await replace("one", "two"), false);
  await store.claim(ctx, key, "one");
  assert.equal(await replace("one", "two"), false);
  await store.fill(ctx, key, { token: "one", entry: "x", lifeMs: 5000 });
  assert.equal(await replace("on", "two"), false);
  assert.equal(await replace("one", "two"), true);
  assert.equal(await replace("one", "three"), false);
  const hit = await store.claim(ctx, key, "four");
  assert.ok(hit.kind === "hit" && hit.entry === "two");
});

test("one refreshes an entry, and each entry anew", { skip: withoutRedis }, async (t) => {
  const { ctx, store } = await storeOf(t);
  assert.equal(await store.claimRefresh(ctx, "thing", "one"), true);
  assert.equal(await store.claimRefresh(ctx, "thing", "one"), false);
  assert.equal(await store.claimRefresh(ctx, "thing", "two"), true);
});

test("whoever has read, leased, filled or replaced a key is told when somebody else changes it, and not of its own writes", {
  skip: withoutRedis,
}, async (t) => {
  const { ctx, store, key, changed, command } = await storeOf(t);
  const told = async (times: number) => {
    await command("SET", key, `Vother${times}:x`, "PX", "5000");
    await eventually(() => changed.length === times);
  };
  await store.claim(ctx, key, "one");
  await told(1);
  await store.claim(ctx, key, "two");
  await told(2);
  await store.unlink(ctx, [key]);
  await store.claim(ctx, key, "three");
  await store.fill(ctx, key, { token: "three", entry: "x", lifeMs: 5000 });
  await told(3);
  await store.replace(ctx, key, { oldToken: "other3", token: "four", entry: "x", lifeMs: 5000 });
  await told(4);
  assert.deepEqual(new Set(changed), new Set([key]));
});
