import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { crc32 } from "node:zlib";
import { createCache } from "parapet/cache";
import { AppError, hasCode } from "parapet/errors";
import { createRegistry } from "parapet/metrics";
import {
  announcedIn,
  eventually,
  faulty,
  postgresSandbox,
  redisSandbox,
  testContext,
  withoutRedis,
} from "parapet/testing";
import { migrations } from "../../../migrations/index.ts";
import { changeUser, newUser, type User } from "../../model/user.ts";
import type { UserReader } from "../../model/user-repository.ts";
import { userStoreSuite } from "../../model/user-store.suite.ts";
import type { UserStore } from "../../model/user-store.ts";
import { MemoryUserStore } from "../memory/memory-user-store.ts";
import { PostgresUserStore } from "../postgres/postgres-user-store.ts";
import { CachedUserStore } from "./cached-user-store.ts";

const NOW = new Date("2026-01-31T12:00:00Z");
const ada = newUser("01932c07-4e2a-7d53-9b1f-000000000001", { name: "Ada", email: "ada@example.com" }, NOW);
const rename = (name: string) => (user: User) => changeUser(user, { name }, NOW);

async function cacheOf(t: TestContext, url?: string, service = "test") {
  const ctx = testContext();
  const cache = createCache(url, { log: ctx.log, metrics: createRegistry(), service });
  t.after(() => cache.stop(ctx).then(() => {}));
  await cache.start(ctx);
  return cache;
}

userStoreSuite("the store with a cache of its own", async (t) => {
  const store = new MemoryUserStore();
  const announced = async () => store.facts.map(({ kind, user }) => `${kind} ${user.id}`);
  return { store: new CachedUserStore(store, await cacheOf(t)), announced };
});

async function behindRedis(t: TestContext) {
  const { database } = await postgresSandbox(t, { migrations });
  const { url, prefix } = await redisSandbox(t);
  const store = new CachedUserStore(new PostgresUserStore(database), await cacheOf(t, url, prefix));
  return { store, announced: () => announcedIn(database) };
}

if (withoutRedis === false) userStoreSuite("the Postgres store behind Redis", behindRedis);
else test("the Postgres store behind Redis", { skip: withoutRedis });

/** A store that counts the reads that reach it. */
function counting(store: UserStore): UserStore & { readonly reads: string[] } {
  const reads: string[] = [];
  const users: UserReader = {
    list: (ctx, range) => store.users.list(ctx, range),
    get: (ctx, id) => {
      reads.push(id);
      return store.users.get(ctx, id);
    },
  };
  return { users, reads, transaction: (ctx, work, once) => store.transaction(ctx, work, once) };
}

async function adaCached(t: TestContext) {
  const ctx = testContext();
  const memory = faulty(new MemoryUserStore());
  await memory.transaction(ctx, (tx) => tx.users.create(ctx, ada));
  const store = counting(memory);
  const cached = new CachedUserStore(store, await cacheOf(t));
  const change = (name: string, fail?: AppError) =>
    cached.transaction(ctx, async (tx) => {
      const user = await tx.users.update(ctx, ada.id, rename(name));
      tx.announce({ kind: "user_updated", user });
      if (fail !== undefined) throw fail;
      return user;
    });
  return { ctx, memory, cached, change, reads: store.reads };
}

test("a user that is read again comes from the cache, with its dates as they were", async (t) => {
  const { ctx, cached, reads } = await adaCached(t);
  assert.deepEqual(await cached.users.get(ctx, ada.id), ada);
  assert.deepEqual(await cached.users.get(ctx, ada.id), ada);
  assert.deepEqual(reads, [ada.id]);
});

test("what stands in Redis as a user and is none is loaded, and given to nobody", { skip: withoutRedis }, async (t) => {
  const ctx = testContext();
  const memory = new MemoryUserStore();
  await memory.transaction(ctx, (tx) => tx.users.create(ctx, ada));
  const { url, prefix, command } = await redisSandbox(t);
  const strange = [null, {}, { ...ada, name: 1 }, { ...ada, version: "1" }, { ...ada, createdAt: "?" }].map((value) =>
    JSON.stringify(value),
  );
  for (const text of ["{", ...strange]) {
    const [rest, key] = [`v1:${text}`, `${prefix}:users:${ada.id}`];
    await command("SET", key, `Vtoken:01${crc32(rest).toString(16).padStart(8, "0")}${rest}`, "PX", "60000");
    const cached = new CachedUserStore(memory, await cacheOf(t, url, prefix));
    await eventually(async () => {
      assert.deepEqual(await cached.users.get(ctx, ada.id), ada, text);
      return String(await command("GET", key)).includes('"name":"Ada"');
    });
  }
});

test("a change is seen by the first read after it, and so is the end of a user", async (t) => {
  const { ctx, cached, change } = await adaCached(t);
  await cached.users.get(ctx, ada.id);
  await change("Grace");
  assert.equal((await cached.users.get(ctx, ada.id)).name, "Grace");
  await cached.transaction(ctx, async (tx) => {
    tx.announce({ kind: "user_deleted", user: await tx.users.delete(ctx, ada.id, () => {}) });
  });
  await assert.rejects(cached.users.get(ctx, ada.id), (thrown) => hasCode(thrown, "not_found"));
});

test("a transaction whose end nobody knows drops what it may have changed", async (t) => {
  const { ctx, cached, change, reads } = await adaCached(t);
  await cached.users.get(ctx, ada.id);
  await assert.rejects(change("Grace", new AppError("unavailable", "it is not known whether the change was saved")));
  assert.deepEqual(await cached.users.get(ctx, ada.id), ada);
  assert.equal(reads.length, 2);
});

test("within a transaction nothing comes from the cache", async (t) => {
  const { ctx, cached } = await adaCached(t);
  await cached.users.get(ctx, ada.id);
  await cached.transaction(ctx, async (tx) => {
    await tx.users.update(ctx, ada.id, rename("Grace"));
    assert.equal((await tx.users.get(ctx, ada.id)).name, "Grace");
    tx.announce({ kind: "user_updated", user: await tx.users.get(ctx, ada.id) });
  });
});
