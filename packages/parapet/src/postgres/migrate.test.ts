import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { withCancel } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import type { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { defineMigrations, type MigrationSource, type Migrations } from "./migrations.ts";
import { row } from "./row.ts";
import { sql } from "./sql.ts";

const Applied = row({ id: "text" });
const Count = row({ count: "int4" });
const Column = row({ place: "text" });

const steps: readonly MigrationSource[] = [1, 2, 3, 4].map((n) => ({
  id: `000${n}_step`,
  sql: `create table step_${n} (id int4 primary key);\nselect pg_sleep(0.2);\ninsert into step_${n} values (${n});`,
}));

async function empty(t: TestContext) {
  const { url, database } = await postgresSandbox(t);
  const ctx = testContext();
  return { ctx, url, database, run: (migrations: Migrations) => migrate(ctx, url, "migrate-test", migrations) };
}

async function appliedTo(database: Database): Promise<readonly string[]> {
  const rows = await database.query(testContext(), sql(Applied)`select id from schema_migrations order by id`);
  return rows.map(({ id }) => id);
}

async function schemaOf(database: Database): Promise<readonly string[]> {
  const rows = await database.query(
    testContext(),
    sql(Column)`select table_name || '.' || column_name || ' ' || data_type as place
      from information_schema.columns where table_schema = 'public' order by 1`,
  );
  return rows.map(({ place }) => place);
}

async function count(database: Database, statement: ReturnType<ReturnType<typeof sql<{ count: number }>>>) {
  return (await database.query(testContext(), statement))[0]?.count;
}

const otherSessions = (database: Database) =>
  count(
    database,
    sql(Count)`select count(*)::int4 as count from pg_stat_activity
      where datname = current_database() and application_name = 'migrate-test'`,
  );

test("migrations are applied in order, each once, and logged with how long they took", async (t) => {
  const { ctx, database, run } = await empty(t);
  await run(defineMigrations(steps.slice(0, 1)));
  await run(defineMigrations(steps.slice(0, 2)));
  await run(defineMigrations(steps.slice(0, 2)));
  assert.deepEqual(await appliedTo(database), ["0001_step", "0002_step"]);
  const lines = ctx.lines.map(({ msg, migration, applied }) => `${msg} ${migration ?? applied}`);
  assert.deepEqual(lines, [
    "migration applied 0001_step",
    "the schema is current 1",
    "migration applied 0002_step",
    "the schema is current 1",
    "the schema is current 0",
  ]);
  assert.equal(typeof ctx.lines[0]?.duration_ms, "number");
});

test("I1: of eight that migrate at once one works, and the others find nothing to do", async (t) => {
  const { ctx, database, run } = await empty(t);
  const migrations = defineMigrations(steps);
  await Promise.all(Array.from({ length: 8 }, () => run(migrations)));
  assert.deepEqual(
    await appliedTo(database),
    steps.map(({ id }) => id),
  );
  assert.equal(ctx.lines.filter(({ msg }) => msg === "migration applied").length, 4);
  assert.equal(await otherSessions(database), 0);
});

test("I3: a migration that fails is undone as a whole, says its line, and those before it stay", async (t) => {
  const { database, run } = await empty(t);
  const bad = { id: "0002_bad", sql: "create table half ();\n\nselect * from nowhere;" };
  await assert.rejects(run(defineMigrations([...steps.slice(0, 1), bad])), (error) => {
    return hasCode(error, "internal") && error.fields.migration === "0002_bad" && error.fields.line === 3;
  });
  assert.deepEqual(await appliedTo(database), ["0001_step"]);
  assert.deepEqual(
    (await schemaOf(database)).filter((place) => place.startsWith("half")),
    [],
  );
  await run(defineMigrations([...steps.slice(0, 1), { id: "0002_bad", sql: "select 1" }]));
});

test("I4: an edited migration is refused by name, and so is a schema that is ahead", async (t) => {
  const { database, run } = await empty(t);
  await run(defineMigrations(steps.slice(0, 2)));
  const edited = steps.slice(0, 3).map(({ id, sql }) => ({ id, sql: id === "0002_step" ? `${sql}\n` : sql }));
  await assert.rejects(run(defineMigrations(edited)), (error) => {
    return hasCode(error, "conflict") && /edited.*0002_step/.test(String(error.fields.because));
  });
  await assert.rejects(run(defineMigrations(steps.slice(0, 1))), (error) => {
    return hasCode(error, "conflict") && /ahead.*0002_step/.test(String(error.fields.because));
  });
  assert.deepEqual(await appliedTo(database), ["0001_step", "0002_step"]);
});

test("I2: a table that a long transaction holds is waited for in short turns, and readers come between", async (t) => {
  const { ctx, database, run } = await empty(t);
  await run(defineMigrations(steps.slice(0, 1)));
  const change = { id: "0002_change", sql: "alter table step_1 add column name text" };
  let migrated: Promise<void> | undefined;
  let slowestMs = 0;
  await database.transaction(ctx, async (holder) => {
    await holder.query(ctx, sql(Count)`select count(*)::int4 as count from step_1`);
    migrated = run(defineMigrations([...steps.slice(0, 1), change]));
    await eventually(async () => {
      const startedAt = performance.now();
      await database.query(ctx, sql(Count)`select count(*)::int4 as count from step_1 limit 1`);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      return ctx.lines.some(({ msg }) => msg === "a migration waits for a lock");
    });
  });
  await migrated;
  assert.ok(slowestMs < 3000, `a reader waited ${slowestMs} ms`);
  assert.deepEqual(await appliedTo(database), ["0001_step", "0002_change"]);
});

test("A7: a migration that is told to stop is rolled back, and its lock is free at once", async (t) => {
  const { ctx, url, database, run } = await empty(t);
  const slow = { id: "0001_slow", sql: "create table slow (id int4); select pg_sleep(60);" };
  const told = new AppError("canceled", "the process was told to end");
  await withCancel(ctx, async (inner, cancel) => {
    const migrated = migrate(inner, url, "migrate-test", defineMigrations([slow]));
    const rejected = assert.rejects(migrated, (error) => hasCode(error, "canceled") && error.cause === told);
    await eventually(
      async () =>
        (await count(
          database,
          sql(Count)`select count(*)::int4 as count from pg_stat_activity
            where datname = current_database() and query like 'create table slow%'`,
        )) === 1,
    );
    const toldAt = performance.now();
    cancel(told);
    await rejected;
    assert.ok(performance.now() - toldAt < 1500);
  });
  await run(defineMigrations(steps.slice(0, 1)));
  assert.deepEqual(await appliedTo(database), ["0001_step"]);
});

test("a migrator that waits for another one stops when it is told to", async (t) => {
  const { ctx, url, run } = await empty(t);
  const first = run(defineMigrations(steps));
  await eventually(() => ctx.lines.some(({ msg }) => msg === "migration applied"));
  await withCancel(testContext(), async (inner, cancel) => {
    const second = migrate(inner, url, "migrate-test", defineMigrations(steps));
    setTimeout(() => cancel(new AppError("canceled", "told to stop")), 50);
    await assert.rejects(second, (error) => hasCode(error, "canceled"));
  });
  await first;
});

test("an index is built beside those who write, and one that was left unfinished is built again", async (t) => {
  const { ctx, database, run } = await empty(t);
  await run(defineMigrations(steps.slice(0, 1)));
  // Two equal rows make the build fail, as a kill would, with the index in place but invalid.
  await database.execute(ctx, sql`alter table step_1 drop constraint step_1_pkey`);
  await database.execute(ctx, sql`insert into step_1 values (1)`);
  const index = {
    id: "0002_index",
    sql: "-- no-transaction\ncreate unique index concurrently if not exists step_1_id on step_1 (id)",
  };
  const migrations = defineMigrations([...steps.slice(0, 1), index]);
  const invalid = sql(Count)`select count(*)::int4 as count from pg_index where not indisvalid`;
  await assert.rejects(
    run(migrations),
    (error) => hasCode(error, "conflict") && error.fields.migration === "0002_index",
  );
  assert.equal(await count(database, invalid), 1);
  await database.execute(ctx, sql`delete from step_1`);
  await run(migrations);
  assert.equal(await count(database, invalid), 0);
  assert.deepEqual(await appliedTo(database), ["0001_step", "0002_index"]);
});

test("a file that empties the search path, as pg_dump's do, is recorded all the same", async (t) => {
  const { database, run } = await empty(t);
  const dump = { id: "0001_dump", sql: "select set_config('search_path', '', false); create table public.dumped ()" };
  await run(defineMigrations([dump, { id: "0002_after", sql: "create table plain ()" }]));
  assert.deepEqual(await appliedTo(database), ["0001_dump", "0002_after"]);
});

test("K14: a migrator that is killed at any step is resumed by the next, and the schema is that of a full run", async (t) => {
  const { ctx, url, database, run } = await empty(t);
  const script = `
    import { rootContext } from ${JSON.stringify(new URL("../context/index.ts", import.meta.url).href)};
    import { testContext } from ${JSON.stringify(new URL("../testing/test-context.ts", import.meta.url).href)};
    import { migrate } from ${JSON.stringify(new URL("./migrate.ts", import.meta.url).href)};
    import { defineMigrations } from ${JSON.stringify(new URL("./migrations.ts", import.meta.url).href)};
    await migrate(rootContext(testContext().log), process.env.URL, "migrate-test", defineMigrations(JSON.parse(process.env.STEPS)));`;
  for (const step of steps.slice(1)) {
    const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "--eval", script], {
      env: { ...process.env, URL: url, STEPS: JSON.stringify(steps) },
      stdio: ["ignore", "ignore", "inherit"],
    });
    t.after(() => void child.kill("SIGKILL"));
    const running = () =>
      count(
        database,
        sql(Count)`select count(*)::int4 as count from pg_stat_activity
          where datname = current_database() and state = 'active' and query = ${step.sql}`,
      );
    await eventually(async () => (await running()) === 1, 30_000);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.ok(!(await appliedTo(database)).includes(step.id));
  }
  await run(defineMigrations(steps));
  const full = await empty(t);
  await full.run(defineMigrations(steps));
  assert.deepEqual(await appliedTo(database), await appliedTo(full.database));
  assert.deepEqual(await schemaOf(database), await schemaOf(full.database));
  assert.ok(ctx.lines.length > 0);
});
