import assert from "node:assert/strict";
import { test } from "node:test";
import { row, sql } from "parapet/postgres";
import { eventually, postgresSandbox, rawConnection, startProcess, startService, testContext } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { databaseRoutes, inTurn } from "./database-routes.ts";
import { ownPgBouncer } from "./own-pgbouncer.ts";
import { askedBy, assertUnavailable, assertUnharmed, timed } from "./replies.ts";
import { lockedOut, sessionsOf, storedUsers, whileHeld } from "./sessions.ts";
import { createAda, rawJson, sendJson } from "./users-json.ts";
import { BROKER_AWAY, SERVER } from "./users-process.ts";

const SHARED =
  "the database url leads to a pooler that shares sessions between transactions (PgBouncer: pool_mode=transaction): use pool_mode=session, or connect directly";

test("C19: behind a PgBouncer in transaction mode it is not ready and says what to do, nothing is migrated, and what is asked all the same is saved whole or not at all", async (t) => {
  const { url, database } = await postgresSandbox(t, { migrations });
  const pooled = await ownPgBouncer(t, url, "transaction");
  if (pooled === undefined) return;
  const env = { ...BROKER_AWAY, DATABASE_URL: pooled };
  const migration = startProcess(t, SERVER, { env, args: ["migrate"] });
  assert.equal((await migration.exited).code, 1);
  assert.ok(migration.stdout.includes(SHARED), migration.stdout);
  const locks = sql`select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
  assert.equal(await database.execute(testContext(), locks), 0);

  const service = await startService(t, SERVER, { env });
  const { because } = await service.line("the database is not ready");
  assert.equal(because, SHARED);
  const users = `${service.url}/api/v1/users`;
  const { list, get, create } = databaseRoutes(users, "");
  const replies = await askedBy(12, 12, inTurn([list, get, create]));
  const created = replies.filter(({ status }) => status === 201).length;
  for (const reply of replies.filter(({ status }) => status >= 500)) assertUnavailable(reply);
  assert.equal(await storedUsers(database), created);
  const [events] = await database.query(
    testContext(),
    sql(row({ count: "int4" }))`select count(*)::int4 as count from outbox`,
  );
  assert.equal(events?.count, created);
  const ready = await fetch(`${service.url}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [503, { status: "not ready", reasons: { database: SHARED } }]);
  await assertUnharmed(service);
  t.diagnostic(`${created} of ${replies.length / 3} creates went through`);
});

test("C19: behind a PgBouncer in session mode, with its own defaults, all is as without it", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const pooled = await ownPgBouncer(t, url, "session");
  if (pooled === undefined) return;
  const env = { ...BROKER_AWAY, DATABASE_URL: pooled };
  const migration = startProcess(t, SERVER, { env, args: ["migrate"] });
  assert.equal((await migration.exited).code, 0, migration.stdout);

  const service = await startService(t, SERVER, { env });
  await service.line("the database is ready");
  const users = `${service.url}/api/v1/users`;
  const { id } = await createAda(service);
  const { list, get, create, update } = databaseRoutes(users, id);
  const replies = await askedBy(8, 12, inTurn([list, get, create, update]));
  assert.deepEqual([...new Set(replies.map(({ status }) => status))].sort(), [200, 201, 404]);

  await whileHeld(database, sql`select id from users where id = ${id} for update`, async () => {
    // The session's own limit came through.
    const reply = await timed(sendJson("PATCH", `${users}/${id}`, { name: "Never" }));
    assertUnavailable(reply);
    assert.ok(reply.ms > 1900 && reply.ms < 3000, `503 after ${reply.ms} ms`);
    // And a cancel finds its way.
    const connection = rawConnection(t, service.port);
    connection.send(rawJson("PATCH", `/api/v1/users/${id}`, { name: "Never" }));
    await lockedOut(database, 1);
    connection.reset();
    await eventually(async () => (await sessionsOf(database)).every(({ state }) => state === "idle"), 1000);
  });
  assert.equal((await fetch(`${users}/${id}`)).status, 200);
  await assertUnharmed(service);
});
