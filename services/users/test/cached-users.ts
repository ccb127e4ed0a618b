import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Database, row, sql } from "parapet/postgres";
import { eventually, type Service, startService, type TestScope, testContext } from "parapet/testing";
import type { User } from "../pkg/client/index.ts";
import { counted } from "./scrape.ts";
import { sendJson, userOf } from "./users-json.ts";
import { BROKER_AWAY, SERVER } from "./users-process.ts";

/** A process of the shipped service whose reads go through a cache. */
export interface CachedUsers extends Service {
  /** The address of the users collection. */
  readonly users: string;
}

/** Where the cache keeps a user in Redis. */
export function keyOf(id: string): string {
  return `users:users:${id}`;
}

/** What the process sees of the environment; with `REDIS_URL` its cache is there. */
export type CachedEnv = Readonly<Record<string, string>> & { readonly DATABASE_URL: string };

/** Starts the service on a migrated database. */
export async function startCached(t: TestScope, env: CachedEnv): Promise<CachedUsers> {
  const service = await startService(t, SERVER, { env: { ...BROKER_AWAY, ...env } });
  await service.line("the database is ready");
  return Object.assign(service, { users: `${service.url}/api/v1/users` });
}

/** Starts it, and waits until its cache is connected too. */
export async function startConnected(t: TestScope, env: CachedEnv): Promise<CachedUsers> {
  const service = await startCached(t, env);
  await service.line("the cache is connected");
  return service;
}

/** As many as there are connections to the database. */
const AT_ONCE = 10;

/** Creates so many users, and gives their ids. */
export async function createUsers({ users }: CachedUsers, count: number): Promise<string[]> {
  const create = async (n: number) => {
    const reply = await sendJson("POST", users, { name: "0", email: `user-${n}@example.com` });
    assert.equal(reply.status, 201);
    return (await userOf(reply)).id;
  };
  const ids: string[] = [];
  for (let n = 0; n < count; n += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, at) => create(n + at));
    ids.push(...(await Promise.all(some)));
  }
  return ids;
}

/** A user who was read, and how many milliseconds that took. */
export interface UserRead {
  readonly user: User;
  readonly ms: number;
}

/** Reads a user that is there: that never fails because of the cache. */
export async function readUser({ users }: CachedUsers, id: string): Promise<UserRead> {
  const startedAt = performance.now();
  const reply = await fetch(`${users}/${id}`);
  assert.equal(reply.status, 200);
  const user = await userOf(reply);
  assert.equal(user.id, id);
  return { user, ms: performance.now() - startedAt };
}

/** Reads the first page, which no cache is asked for. */
export async function readPage({ users }: CachedUsers): Promise<{ readonly ms: number }> {
  const startedAt = performance.now();
  const reply = await fetch(`${users}?limit=1`);
  assert.equal(reply.status, 200);
  await reply.arrayBuffer();
  return { ms: performance.now() - startedAt };
}

/** Reads users one after the other. */
export async function readEach(service: CachedUsers, ids: readonly string[]): Promise<UserRead[]> {
  const reads: UserRead[] = [];
  for (const id of ids) reads.push(await readUser(service, id));
  return reads;
}

/** Changes a user's name, which never fails because of the cache; gives what becomes of the user. */
export async function changeUser({ users }: CachedUsers, id: string, name: string): Promise<UserRead> {
  const startedAt = performance.now();
  const reply = await sendJson("PATCH", `${users}/${id}`, { name });
  assert.equal(reply.status, 200);
  return { user: await userOf(reply), ms: performance.now() - startedAt };
}

/** Changes this user, creates and removes another: what was written is what is read. Gives how long the change took. */
export async function assertWritable(service: CachedUsers, id: string): Promise<number> {
  const changed = await changeUser(service, id, randomUUID());
  assert.deepEqual((await readUser(service, id)).user, changed.user);
  const created = await sendJson("POST", service.users, { name: "New", email: `${randomUUID()}@example.com` });
  assert.equal(created.status, 201);
  const removed = await fetch(`${service.url}${created.headers.get("location")}`, { method: "DELETE" });
  assert.equal(removed.status, 204);
  return changed.ms;
}

/** How many milliseconds reads take, half of them at most. */
export function medianMs(reads: readonly { readonly ms: number }[]): number {
  const sorted = reads.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export type CacheAnswer = "near_hit" | "redis_hit" | "miss" | "shared" | "bypass";

/** How many reads were answered this way so far. */
export function answered(service: CachedUsers, answer: CacheAnswer): Promise<number> {
  return counted(service, `cache_requests_total{cache="users",result="${answer}"}`);
}

/** Waits until reads of a user come from the cache again; gives how many milliseconds that took. */
export async function untilCached(service: CachedUsers, id: string, withinMs = 3000): Promise<number> {
  const startedAt = performance.now();
  const before = await answered(service, "near_hit");
  await eventually(async () => {
    await readUser(service, id);
    return (await answered(service, "near_hit")) > before;
  }, withinMs);
  return performance.now() - startedAt;
}

/** How many changes are noted in the database of which Redis is to be told yet. */
export async function notesIn(database: Database): Promise<number> {
  const count = sql(row({ count: "int4" }))`select count(*)::int4 as count from cache_invalidations`;
  const [noted] = await database.query(testContext(), count);
  return noted?.count ?? 0;
}
