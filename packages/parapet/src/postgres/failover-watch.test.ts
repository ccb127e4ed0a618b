import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually } from "../testing/eventually.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { createDatabase } from "./database.ts";
import { FailoverWatch } from "./failover-watch.ts";
import { row } from "./row.ts";
import { sql } from "./sql.ts";

const Server = row({ pid: "int4", is_read_only: "bool" });

test("a failover is over when, after a refusal, a connection is made that is not read-only, and only then", () => {
  let times = 0;
  const watch = new FailoverWatch(() => times++);
  for (const isReadOnly of [false, true, false]) watch.connected(isReadOnly);
  watch.refused();
  watch.refused();
  watch.connected(true);
  assert.equal(times, 0);
  watch.connected(false);
  watch.connected(false);
  assert.equal(times, 1);
});

test("C7: once there is another primary everything goes by new connections, and what is under way ends on the old ones", async (t) => {
  const { url, database: server } = await postgresSandbox(t);
  const ctx = testContext();
  const database = createDatabase(url, { log: ctx.log, metrics: createRegistry(), service: "failover" });
  t.after(() => database.stop(ctx).then(() => {}));
  const look = sql(Server)`
    select pg_backend_pid() as pid, current_setting('transaction_read_only')::bool as is_read_only`;
  const write = () => database.transaction(ctx, (tx) => tx.execute(ctx, sql`create table written ()`));

  await server.execute(
    ctx,
    sql`do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`,
  );
  const before = await database.query(ctx, look);
  const slowBefore = await database.slow.query(ctx, look);
  assert.deepEqual([before[0]?.is_read_only, slowBefore[0]?.is_read_only], [true, true]);
  await assert.rejects(write(), (thrown) => hasCode(thrown, "unavailable") && thrown.fields.sqlstate === "25006");
  await database.slow.query(ctx, look);
  await server.execute(
    ctx,
    sql`do $$ begin execute format('alter database %I reset default_transaction_read_only', current_database()); end $$`,
  );

  const underWay = database.query(ctx, sql(row({ slept: "text" }))`select pg_sleep(0.3)::text as slept`);
  // Each session to the old server is found out when it is used.
  await eventually(() =>
    write().then(
      () => true,
      () => false,
    ),
  );
  for (const queryable of [database, database.slow, database.background]) {
    const [session] = await queryable.query(ctx, look);
    assert.equal(session?.is_read_only, false);
  }
  await underWay;
  const old = [before[0]?.pid ?? 0, slowBefore[0]?.pid ?? 0];
  const kept = sql`select from pg_stat_activity where pid = any(${old})`;
  await eventually(async () => (await server.execute(ctx, kept)) === 0);
  assert.equal(ctx.lines.filter(({ level }) => level === "warn").length, 1);
});
