import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { sleep, withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { type RecordedContext, testContext } from "../testing/test-context.ts";
import { createDatabase, type Database, type DatabaseOptions } from "./database.ts";
import { defineMigrations } from "./migrations.ts";
import { row } from "./row.ts";
import { sql } from "./sql.ts";

const migrations = defineMigrations([
  { id: "0001_notes", sql: "create table notes (id int4 primary key, text text not null)" },
  { id: "0002_notes_text", sql: "create index notes_text on notes (text)" },
]);

const Note = row({ id: "int4", text: "text" });
const One = row({ one: "int4" });

function databaseOn(t: TestContext, url: string, options: Partial<DatabaseOptions> = {}) {
  const ctx = testContext();
  const registry = createRegistry();
  const database = createDatabase(url, { log: ctx.log, metrics: registry, ...options });
  t.after(async () => {
    await database.stop(ctx);
  });
  return { ctx, database, registry };
}

const selectOne = async (ctx: RecordedContext, database: Database) =>
  (await database.query(ctx, sql(One)`select 1 as one`))[0]?.one;

test("rows come in the server's order, and counts are of the rows affected", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url);
  const inserted = await database.execute(
    ctx,
    sql`insert into notes (id, text) select n, 'note ' || n from generate_series(1, ${3}::int4) as n`,
  );
  assert.equal(inserted, 3);
  const rows = await database.query(ctx, sql(Note)`select id, text from notes where id > ${1} order by id desc`);
  assert.deepEqual(rows, [
    { id: 3, text: "note 3" },
    { id: 2, text: "note 2" },
  ]);
  assert.deepEqual(await database.query(ctx, sql(Note)`select id, text from notes where id > ${9}`), []);
  assert.equal(await database.execute(ctx, sql`delete from notes where id > ${9}`), 0);
});

test("a statement survives a change of the schema under it, and of what the session has prepared", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url, { poolMax: 1 });
  const read = () => database.query(ctx, sql(Note)`select id, text from notes`);
  await database.execute(ctx, sql`insert into notes (id, text) values (1, 'a')`);
  await read();
  await database.execute(ctx, sql`alter table notes alter column text type varchar(10)`);
  assert.deepEqual(await read(), [{ id: 1, text: "a" }]);
  await database.execute(ctx, sql`deallocate all`);
  assert.deepEqual(await read(), [{ id: 1, text: "a" }]);
  await database.execute(ctx, sql`alter table notes alter column text type text`);
  const inTransaction = await database.transaction(ctx, (tx) =>
    tx.query(ctx, sql(Note)`select id, text from notes order by id`),
  );
  assert.deepEqual(inTransaction, [{ id: 1, text: "a" }]);
});

test("transactions go on after their session forgot what it had prepared, whichever comes first", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url, { poolMax: 1 });
  const count = (tx: Pick<Database, "query">) => tx.query(ctx, sql(One)`select count(*)::int4 as one from notes`);
  const note = (tx: Pick<Database, "query">) => tx.query(ctx, sql(Note)`select id, text from notes`);
  const run = async () => {
    await database.transaction(ctx, count);
    await database.transaction(ctx, note);
  };
  await run();
  for (let round = 0; round < 3; round++) {
    await database.slow.execute(ctx, sql`deallocate all`);
    // Begins with what is prepared anew, and only then comes to what is forgotten.
    await run();
    await run();
  }
});

test("a prepared statement whose plan went stale in a transaction makes the transaction run again", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url, { poolMax: 1 });
  let attempts = 0;
  const read = () =>
    database.transaction(ctx, (tx) => {
      attempts++;
      return tx.query(ctx, sql(Note)`select id, text from notes where id = 1`);
    });
  await read();
  await database.execute(ctx, sql`alter table notes alter column text type varchar(10)`);
  assert.deepEqual(await read(), []);
  assert.equal(attempts, 3);
});

test("a database that nobody started makes no connection, and the first statement makes one", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, database } = databaseOn(t, proxy.url);
  assert.equal(proxy.accepted, 0);
  assert.match(database.notReadyBecause() ?? "", /not looked at/);
  assert.equal(await selectOne(ctx, database), 1);
});

test("C1: a database that is down at the start does not keep anything from starting, and is ready soon after it is up", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const proxy = await faultProxy(t, url);
  await proxy.refuse();
  const { ctx, database } = databaseOn(t, proxy.url, { migrations });
  await database.start(ctx);
  await eventually(() => ctx.lines.length > 0);
  await assert.rejects(selectOne(ctx, database), (error) => hasCode(error, "unavailable"));
  assert.equal(database.notReadyBecause(), "the database can't be reached");
  await eventually(() => proxy.accepted === 0);
  await proxy.pass();
  await eventually(() => database.notReadyBecause() === undefined, 6000);
  assert.deepEqual(
    ctx.lines.map(({ level, msg }) => `${level} ${msg}`),
    ["warn the database is not ready", "info the database is ready"],
  );
});

test("C2: readiness latches: an outage later is unavailable, call by call, and over as soon as the server is back", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const proxy = await faultProxy(t, url);
  const { ctx, database } = databaseOn(t, proxy.url, { migrations });
  await database.start(ctx);
  await eventually(() => database.notReadyBecause() === undefined);
  await proxy.refuse();
  proxy.reset();
  await eventually(async () => (await selectOne(ctx, database).catch(() => undefined)) === undefined);
  const startedAt = performance.now();
  await assert.rejects(selectOne(ctx, database), (error) => {
    return hasCode(error, "unavailable") && error.retryAfterMs !== undefined;
  });
  assert.ok(performance.now() - startedAt < 1000);
  assert.equal(database.notReadyBecause(), undefined);
  await proxy.pass();
  assert.equal(await selectOne(ctx, database), 1);
});

test("C6: sessions that are ended every few milliseconds fail what runs on them and nothing else", async (t) => {
  const { url, database: operator } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url);
  let storming = true;
  const storm = async () => {
    while (storming) {
      await operator.execute(
        ctx,
        sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'parapet' and pid <> pg_backend_pid()
            and pid not in (select pid from pg_stat_activity where query like '%pg_terminate_backend%')`,
      );
      await sleep(ctx, 20);
    }
  };
  let id = 0;
  const work = async () => {
    const saved: number[] = [];
    for (let round = 0; round < 60; round++) {
      const mine = ++id;
      try {
        await database.execute(ctx, sql`insert into notes (id, text) values (${mine}, 'x')`);
        saved.push(mine);
      } catch (error) {
        assert.ok(hasCode(error, "unavailable"), String(error));
      }
    }
    return saved;
  };
  const stormed = storm();
  const saved = (await Promise.all([work(), work(), work(), work()])).flat();
  storming = false;
  await stormed;
  const rows = await operator.query(ctx, sql(Note)`select id, text from notes`);
  const stored = new Set(rows.map((row) => row.id));
  assert.ok(saved.length > 0);
  for (const mine of saved) assert.ok(stored.has(mine), "an acknowledged note is lost");
  await eventually(async () => (await selectOne(ctx, database).catch(() => undefined)) === 1);
});

test("a schema that is behind keeps the database from being ready until somebody migrates", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, database } = databaseOn(t, url, { migrations });
  await database.start(ctx);
  const because = "the schema is behind: run migrate to apply 0001_notes, 0002_notes_text";
  await eventually(() => database.notReadyBecause() === because);
  await database.commands?.migrate?.(ctx);
  await eventually(() => database.notReadyBecause() === undefined);
});

test("I4: a schema that is ahead of the build keeps the database from being ready, and says by what", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url, { migrations: migrations.slice(0, 1) });
  await database.start(ctx);
  await eventually(
    () => database.notReadyBecause() === "the schema is ahead of this build: it does not know 0002_notes_text",
  );
  assert.equal(ctx.lines.length, 1);
});

test("a database that is stopped while it looks for its server stops at once and looks no more", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  await proxy.refuse();
  const { ctx, database } = databaseOn(t, proxy.url);
  await database.start(ctx);
  await eventually(() => ctx.lines.length === 1);
  const startedAt = performance.now();
  assert.deepEqual(await database.stop(ctx), { tx: 0 });
  assert.ok(performance.now() - startedAt < 1000);
  await proxy.pass();
  await assert.rejects(selectOne(ctx, database), (error) => hasCode(error, "unavailable"));
  assert.equal(proxy.accepted, 0);
  assert.deepEqual(await database.stop(ctx), { tx: 0 });
});

test("a stop cuts the transactions that are still open, and counts them", async (t) => {
  const { url, database: operator } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url);
  let stopped: Promise<unknown> | undefined;
  const transaction = database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`insert into notes (id, text) values (1, 'x')`);
    stopped = withTimeout(ctx, 100, (inner) => database.stop(inner));
    await tx.execute(ctx, sql`select pg_sleep(60)`);
  });
  await assert.rejects(transaction, (error) => hasCode(error, "unavailable"));
  assert.deepEqual(await stopped, { tx: 1 });
  assert.deepEqual(await operator.query(ctx, sql(Note)`select id, text from notes`), []);
});

test("what a database does can be read from its metrics", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const { ctx, database, registry } = databaseOn(t, url);
  await selectOne(ctx, database);
  await assert.rejects(database.execute(ctx, sql`insert into notes (id) values (1)`));
  await assert.rejects(withTimeout(ctx, 200, (inner) => database.slow.execute(inner, sql`select pg_sleep(60)`)));
  await withCancel(ctx, async (inner, leave) => {
    setTimeout(leave, 50, new AppError("canceled", "the caller is gone"));
    await assert.rejects(database.slow.execute(inner, sql`select pg_sleep(60)`));
  });
  await database.transaction(ctx, async () => {});
  await database.transaction(ctx, () => Promise.reject(new Error("no"))).catch(() => {});
  await eventually(async () => (await registry.text()).includes('postgres_cancels_total{result="ok"} 1'));
  const text = await registry.text();
  for (const line of [
    'postgres_queries_total{result="ok"} 1',
    'postgres_queries_total{result="invalid"} 1',
    'postgres_queries_total{result="timeout"} 1',
    'postgres_queries_total{result="canceled"} 1',
    "postgres_query_duration_seconds_count 4",
    'postgres_transactions_total{result="committed"} 1',
    'postgres_transactions_total{result="rolled_back"} 1',
    "postgres_transaction_retries_total 0",
    "postgres_pool_waiting 0",
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is missing in\n${text}`);
  }
  await database.stop(ctx);
  assert.ok((await registry.text()).includes("postgres_pool_connections 0\n"));
});

test("C12: many who wait for a locked table hold up neither the short statements of others for long nor their transactions", async (t) => {
  const { url, database: operator } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url);
  await selectOne(ctx, database);
  const readers: Promise<unknown>[] = [];
  await operator.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`lock table notes in access exclusive mode`);
    const read = () => database.query(ctx, sql(Note)`select id, text from notes`).catch((error) => error);
    for (let n = 0; n < 40; n++) readers.push(read());
    // Long enough for the first of them to have met the lock: what comes now does not go behind the others.
    await sleep(ctx, 200);
    for (let n = 0; n < 10; n++) {
      for (let m = 0; m < 5; m++) readers.push(read());
      const askedAt = performance.now();
      assert.equal(await selectOne(ctx, database), 1);
      await database.transaction(ctx, (tx) => tx.query(ctx, sql(One)`select 1 as one`));
      assert.ok(performance.now() - askedAt < 700, `${performance.now() - askedAt} ms`);
    }
  });
  for (const answer of await Promise.all(readers))
    assert.ok(hasCode(answer, "unavailable") || (Array.isArray(answer) && answer.length === 0), String(answer));
});

test("C12: a locked table holds up its own readers, and nobody else's short statements", async (t) => {
  const { url, database: operator } = await postgresSandbox(t, { migrations });
  const { ctx, database } = databaseOn(t, url);
  await selectOne(ctx, database);
  let readers: Promise<unknown>[] = [];
  await operator.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`lock table notes in access exclusive mode`);
    const read = () => database.query(ctx, sql(Note)`select id, text from notes`).catch((error) => error);
    readers = Array.from({ length: 5 }, read);
    for (let n = 0; n < 10; n++) {
      readers.push(read());
      const askedAt = performance.now();
      assert.equal(await selectOne(ctx, database), 1);
      assert.ok(performance.now() - askedAt < 900, `${performance.now() - askedAt} ms`);
    }
  });
  for (const answer of await Promise.all(readers)) assert.deepEqual(answer, [], "they waited, and were answered");
});
