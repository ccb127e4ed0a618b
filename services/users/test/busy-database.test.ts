import assert from "node:assert/strict";
import { test } from "node:test";
import { type Database, row, type Statement, sql } from "parapet/postgres";
import { eventually, faultProxy, postgresSandbox, startService, testContext } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { breakWrites, mendWrites } from "./broken-writes.ts";
import { databaseRoutes, inTurn } from "./database-routes.ts";
import { askedBy, assertUnavailable, assertUnharmed, detailOf, percentile, type TimedReply, timed } from "./replies.ts";
import { counted, isAtRest } from "./scrape.ts";
import { lockedOut, sessionsOf, storedUsers, whileHeld } from "./sessions.ts";
import { createAda, sendJson, userOf } from "./users-json.ts";
import { BROKER_AWAY, SERVER, startUsers, type UsersProcess } from "./users-process.ts";

const UNKNOWN_ID = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";
const ACQUIRE_TIMEOUT_MS = 1000;
const LOCK_TIMEOUT_MS = 2000;
/** What a busy machine takes on top. */
const BUSY_MS = 1000;

test("C9: when slow changes hold every connection a bounded number of callers waits, for a second, and nobody else does", async (t) => {
  const poolMax = 5;
  const maxWaiting = 10 * poolMax;
  const env = { DATABASE_POOL_MAX: String(poolMax) };
  const service = await startUsers(t, { env, databaseOptions: "-c lock_timeout=20000" });
  await service.line("the database is ready");
  const { id } = await createAda(service);
  const { list, get, create, update } = databaseRoutes(service.users, id);
  const probes = ["/livez", "/readyz"].map((path) => () => fetch(service.url + path));
  const slow: Promise<readonly TimedReply[]>[] = [];
  await whileHeld(service.database, sql`select id from users where id = ${id} for update`, async () => {
    slow.push(askedBy(poolMax, 1, update));
    await lockedOut(service.database, poolMax);
    const asked = askedBy(maxWaiting + 30, 1, create);
    await eventually(async () => (await counted(service, "postgres_pool_waiting")) > 0);
    const waiting = await counted(service, "postgres_pool_waiting");
    const others = await askedBy(4, 10, inTurn([list, get, ...probes]));
    const replies = await asked;
    await assertInvalidatorWorks(service.database);

    for (const reply of replies) assertUnavailable(reply);
    assert.ok(waiting <= maxWaiting, `${waiting} callers waited`);
    const refused = replies.filter(({ json }) => detailOf(json) === "too many callers wait for a database connection");
    assert.ok(refused.length > 0 && refused.length <= 30, `${refused.length} were refused at once`);
    assert.ok(others.every(({ status }) => [200, 404].includes(status)));
    const [repliesMs, othersMs] = [percentile(90, replies), percentile(90, others)];
    assert.ok(repliesMs < ACQUIRE_TIMEOUT_MS + BUSY_MS, `90 % were refused within ${repliesMs} ms`);
    assert.ok(othersMs < ACQUIRE_TIMEOUT_MS, `90 % of the others were answered within ${othersMs} ms`);
    t.diagnostic(
      `${waiting} waited, ${refused.length} were refused, in up to ${Math.round(percentile(100, replies))} ms`,
    );
  });
  await Promise.all(slow);
  await eventually(() => isAtRest(service));
  assert.equal((await create(1000)).status, 201);
  await assertUnharmed(service);
});

test("C10: a server that has no more connections to give is answered for by 503 and asked now and then; those that there are serve on", async (t) => {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  await database.execute(ctx, CREATE_ROLE);
  try {
    const proxy = await faultProxy(t, withUser(url));
    const service = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: proxy.url } });
    await service.line("the database is ready");
    const routes = databaseRoutes(`${service.url}/api/v1/users`, UNKNOWN_ID);
    // Two for short statements, one or two for the background, and one that is left.
    const few = await askedBy(6, 6, inTurn([routes.list, routes.get, routes.create]));
    assert.deepEqual([...new Set(few.map(({ status }) => status))].sort(), [200, 201, 404]);

    await database.execute(ctx, NO_CONNECTION);
    await database.execute(
      ctx,
      sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = current_database()`,
    );
    const before = proxy.accepted;
    const startedAt = performance.now();
    const none: TimedReply[] = [];
    while (performance.now() - startedAt < 1000) none.push(...(await askedBy(20, 2, inTurn(Object.values(routes)))));
    const seconds = (performance.now() - startedAt) / 1000;
    for (const reply of none) assertUnavailable(reply);
    const attempts = proxy.accepted - before;
    // Of two pools and two lanes, each every tenth of a second.
    assert.ok(attempts / seconds < 80, `${attempts} attempts to connect in ${seconds} s`);

    await database.execute(ctx, MORE_CONNECTIONS);
    const back = performance.now();
    await eventually(async () => (await routes.create(5000)).status === 201, 2000);
    t.diagnostic(`recovered in ${Math.round(performance.now() - back)} ms`);
    t.diagnostic(`${none.length} answers of 503 and ${attempts} attempts in ${seconds.toFixed(1)} s`);
    await assertUnharmed(service);
    service.kill("SIGKILL");
    await service.exited;
  } finally {
    await database.execute(ctx, DROP_ROLE);
  }
});

test("C11: a change that the server stops as a deadlock is made again as a whole, and made once", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const ctx = testContext();
  let asked: Promise<TimedReply> | undefined;
  const ours = service.database.transaction(ctx, async (tx) => {
    // It is the other one that is to be stopped.
    await tx.execute(ctx, sql`set local deadlock_timeout = '30s'`);
    await tx.execute(
      ctx,
      sql`insert into users (id, name, email, email_key, version, created_at, updated_at)
        values (gen_random_uuid(), 'Grace', 'grace@example.com', 'grace@example.com', 1, now(), now())`,
    );
    asked = timed(sendJson("PATCH", `${service.users}/${id}`, { email: "grace@example.com" }));
    await lockedOut(service.database, 1);
    await tx.execute(ctx, sql`select id from users where id = ${id} for update`);
    throw new Error("so that the address is free");
  });
  await assert.rejects(ours, /so that the address is free/);
  assert.equal((await asked)?.status, 200);
  const { version, email } = await userOf(await fetch(`${service.users}/${id}`));
  assert.deepEqual([version, email], [2, "grace@example.com"]);
  assert.ok((await counted(service, "postgres_transaction_retries_total")) >= 1);
  assert.equal(await eventsOf(service), 2);
  await assertUnharmed(service);
});

test("C11: a change that can't be serialised is tried up to four times, and made once", async (t) => {
  const service = await startUsers(t);
  await breakWrites(service.database, "40001", 3);
  await createAda(service);
  assert.deepEqual([await storedUsers(service.database), await eventsOf(service)], [1, 1]);
  assert.equal(await counted(service, "postgres_transaction_retries_total"), 3);
  await assertUnharmed(service);
});

test("C11: a change that can't be serialised four times is answered 503, and nothing is left of it", async (t) => {
  const service = await startUsers(t);
  await breakWrites(service.database, "40001");
  const { create } = databaseRoutes(service.users, UNKNOWN_ID);
  for (const reply of await askedBy(4, 1, create)) assertUnavailable(reply);
  assert.equal(await counted(service, "postgres_transaction_retries_total"), 4 * 3);
  assert.deepEqual([await storedUsers(service.database), await eventsOf(service)], [0, 0]);
  await mendWrites(service.database);
  assert.equal((await create(0)).status, 201);
  await assertUnharmed(service);
});

test("C12: who waits for a locked table is answered 503 after two seconds, and nobody else waits", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const routes = Object.values(databaseRoutes(service.users, id));
  await whileHeld(service.database, sql`lock table users in access exclusive mode`, async () => {
    const asked = Promise.all(routes.map((ask) => askedBy(2, 1, ask)));
    await lockedOut(service.database, 5);
    const probes = await askedBy(2, 10, (number) => fetch(service.url + (number % 2 === 0 ? "/livez" : "/readyz")));
    assert.ok(probes.every(({ status, ms }) => status === 200 && ms < BUSY_MS));
    for (const reply of (await asked).flat()) {
      assertUnavailable(reply);
      const { ms } = reply;
      assert.ok(ms >= LOCK_TIMEOUT_MS - 50 && ms < LOCK_TIMEOUT_MS + BUSY_MS, `503 after ${ms} ms`);
    }
  });
  const replies = await askedBy(2, 5, inTurn(routes));
  assert.ok(replies.every(({ status }) => status < 500));
  await assertUnharmed(service);
});

test("C13: a statement that takes too long is answered 504, and gone from the server; its connection serves on", async (t) => {
  const limitMs = 500;
  const service = await startUsers(t, { env: { DATABASE_STATEMENT_TIMEOUT_MS: String(limitMs) } });
  await service.line("the database is ready");
  const { id } = await createAda(service);
  const { list, get, create, update, remove } = databaseRoutes(service.users, id);
  const before = await sessionsOf(service.database);
  await slowDown(service.database);
  for (const ask of [list, get, create, update, remove]) {
    const [reply] = await askedBy(1, 1, ask);
    assert.equal(reply?.status, 504);
    assert.ok(reply.ms >= limitMs - 50 && reply.ms < limitMs + BUSY_MS, `504 after ${reply.ms} ms`);
    await eventually(async () => (await sessionsOf(service.database)).every(({ state }) => state === "idle"), 1000);
  }
  await speedUp(service.database);
  const replies = await askedBy(1, 5, inTurn([list, get, create, update, remove]));
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 404, 201, 200, 204],
  );
  const after = new Set((await sessionsOf(service.database)).map(({ pid }) => pid));
  assert.ok(before.every(({ pid }) => after.has(pid)));
  await assertUnharmed(service);
});

/** What was noted while nobody has a connection is done in time, by those of the background. */
async function assertInvalidatorWorks(database: Database): Promise<void> {
  const ctx = testContext();
  await database.execute(ctx, sql`insert into cache_invalidations (cache, key) values ('users', 'nobody')`);
  const noted = sql`select from cache_invalidations where key = 'nobody'`;
  await eventually(async () => (await database.execute(ctx, noted)) === 0, 2000);
}

async function eventsOf({ database }: UsersProcess): Promise<number> {
  const [counted] = await database.query(
    testContext(),
    sql(row({ events: "int4" }))`select count(*)::int4 as events from outbox`,
  );
  return counted?.events ?? 0;
}

// A role that is named as the database and gone with it.
const CREATE_ROLE = sql`do $$ begin
  execute format('create role %I login connection limit 5', current_database());
  execute format('grant all on all tables in schema public to %I', current_database());
  execute format('grant all on all sequences in schema public to %I', current_database());
end $$`;
const NO_CONNECTION = sql`do $$ begin execute format('alter role %I connection limit 0', current_database()); end $$`;
const MORE_CONNECTIONS = sql`do $$ begin execute format('alter role %I connection limit 50', current_database()); end $$`;
const DROP_ROLE = sql`do $$ begin
  execute format('drop owned by %I', current_database());
  execute format('drop role %I', current_database());
end $$`;

/** The URL for the role of the database. */
function withUser(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.username = url.pathname.slice(1);
  return url.href;
}

/** Has every statement about users take a minute. */
async function slowDown(database: Database): Promise<void> {
  await all(database, [
    sql`alter table users rename to people`,
    sql`create view users as select * from people where (select pg_sleep(60)::text) is not null`,
    sql`create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$`,
    sql`create trigger wait before insert on people for each row execute function wait()`,
  ]);
}

async function speedUp(database: Database): Promise<void> {
  await all(database, [
    sql`drop view users`,
    sql`drop trigger wait on people`,
    sql`alter table people rename to users`,
  ]);
}

async function all(database: Database, statements: readonly Statement[]): Promise<void> {
  const ctx = testContext();
  await database.transaction(ctx, async (tx) => {
    for (const statement of statements) await tx.execute(ctx, statement);
  });
}
