import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { withCancel } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { defineMigrations } from "./migrations.ts";
import { openSession } from "./open-session.ts";
import { row } from "./row.ts";
import { sql } from "./sql.ts";
import { sqlstateOf } from "./sqlstate.ts";

const migrations = defineMigrations([{ id: "0001_notes", sql: "create table notes (id int4 primary key)" }]);
const limits = { service: "batch-test", statementTimeoutMs: 5000, lockTimeoutMs: 2000, transactionTimeoutMs: 0 };

async function notesOf(t: TestContext) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const session = await openSession(ctx, url, { ...limits, limitMs: 6000, onCancel: () => {} });
  t.after(() => session.close());
  const notes = async () => {
    const rows = await database.query(ctx, sql(row({ id: "int4" }))`select id from notes order by id`);
    return rows.map(({ id }) => id);
  };
  return { ctx, session, database, notes };
}

const begin = { text: "begin", name: "b_begin" };
const commit = { text: "commit", name: "b_commit" };
const insert = (id: number) => ({
  text: "insert into notes (id) values ($1) returning id",
  name: "b_insert",
  values: [id],
});

test("statements of one round trip each give their own result", async (t) => {
  const { ctx, session, notes } = await notesOf(t);
  for (const id of [1, 3]) {
    const results = await session.runAll(ctx, [begin, insert(id), insert(id + 1), commit]);
    assert.deepEqual(
      results.map(({ command, rows }) => [command, rows]),
      [
        ["BEGIN", []],
        ["INSERT", [{ id }]],
        ["INSERT", [{ id: id + 1 }]],
        ["COMMIT", []],
      ],
    );
  }
  assert.deepEqual(await notes(), [1, 2, 3, 4]);
});

test("rows that are of no interest are left out, and counted", async (t) => {
  const { ctx, session } = await notesOf(t);
  const kept = { text: "select 1 as one", name: "b_kept" };
  const discarded = { text: "select 2 as two union all select 3", name: "b_discarded", discardsRows: true };
  for (const _ of ["first", "prepared"]) {
    const results = await session.runAll(ctx, [kept, discarded, kept]);
    assert.deepEqual(
      results.map(({ rowCount, rows }) => [rowCount, rows]),
      [
        [1, [{ one: 1 }]],
        [2, []],
        [1, [{ one: 1 }]],
      ],
    );
  }
});

test("nothing runs behind a statement that failed, not even outside of the transaction that failed to begin", async (t) => {
  const { ctx, session, notes } = await notesOf(t);
  const refused = { text: "begin isolation level nonsense" };
  await assert.rejects(session.runAll(ctx, [refused, insert(1), commit]), (thrown) => sqlstateOf(thrown) === "42601");
  // An error is told before the server is ready again.
  await session.settled();
  await assert.rejects(session.runAll(ctx, [begin, insert(2), insert(2), insert(3), commit]), (thrown) =>
    hasCode(thrown, "conflict"),
  );
  await session.settled();
  await session.run(ctx, { text: "rollback" });
  assert.deepEqual(await notes(), []);
});

test("a statement that was skipped once is prepared when its turn comes", async (t) => {
  const { ctx, session, notes } = await notesOf(t);
  await assert.rejects(
    session.runAll(ctx, [{ text: "select 1 / 0" }, insert(1)]),
    (thrown) => sqlstateOf(thrown) === "22012",
  );
  await session.settled();
  await session.runAll(ctx, [insert(1), insert(2)]);
  await session.runAll(ctx, [insert(3)]);
  assert.deepEqual(await notes(), [1, 2, 3]);
});

test("a caller that leaves has the batch canceled as a whole, and the session is good for the next", async (t) => {
  const { ctx, session, database, notes } = await notesOf(t);
  await database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`insert into notes (id) values (2)`);
    await withCancel(ctx, async (caller, leave) => {
      const batch = session.runAll(caller, [begin, insert(1), insert(2), commit]);
      const left = assert.rejects(batch, (thrown) => hasCode(thrown, "canceled"));
      const waiting = sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await eventually(async () => (await database.execute(ctx, waiting)) === 1);
      leave(new AppError("canceled", "the caller is gone"));
      await left;
    });
  });
  assert.equal(await session.settled(), true);
  await session.run(ctx, { text: "rollback" });
  assert.deepEqual(await notes(), [2]);
});

test("without a begin, the statements of one round trip are one transaction all the same", async (t) => {
  const { ctx, session, notes } = await notesOf(t);
  await assert.rejects(session.runAll(ctx, [insert(1), insert(1)]), (thrown) => hasCode(thrown, "conflict"));
  assert.deepEqual(await notes(), []);
});

test("a row that can't be read fails the batch, and gives nobody the rows of another", async (t) => {
  const { ctx, session, notes } = await notesOf(t);
  const unreadable = { text: "select array[1, null] as a" };
  const batch = session.runAll(ctx, [insert(1), unreadable, { text: "select 7 as b" }]);
  await assert.rejects(batch, (thrown) => hasCode(thrown, "internal"));
  assert.equal(await session.settled(), true);
  assert.deepEqual(await notes(), [1], "what ran has run");
});

test("a session that has forgotten a statement is not one to go on with, since it may have forgotten others", async (t) => {
  const { ctx, session, notes } = await notesOf(t);
  await session.runAll(ctx, [begin, insert(1), commit]);
  await session.run(ctx, { text: "deallocate all" });
  await assert.rejects(session.runAll(ctx, [insert(2)]), (thrown) => sqlstateOf(thrown) === "26000");
  assert.equal(await session.settled(), false);
  assert.deepEqual(await notes(), [1]);
});
