import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import test from "node:test";
import pg from "pg";
import { hasCode } from "../errors/index.ts";
import { defineMigrations, type Migrations, row, sql } from "../postgres/index.ts";
import { eventually } from "./eventually.ts";
import { postgresSandbox, templateOf } from "./postgres-sandbox.ts";
import { testContext } from "./test-context.ts";

const migrations = defineMigrations([{ id: "0001_things", sql: "create table things (id int4 primary key)" }]);
const Count = row({ count: "int4" });

test("each test has a migrated database of its own, ready for use, and it is dropped after the test", async (t) => {
  const ctx = testContext();
  const names: string[] = [];
  await t.test("first", async (t) => {
    const { database, url } = await postgresSandbox(t, { migrations });
    names.push(new URL(url).pathname.slice(1));
    await database.execute(ctx, sql`insert into things (id) values (1)`);
    await eventually(() => database.notReadyBecause() === undefined);
  });
  const { database, url } = await postgresSandbox(t, { migrations });
  assert.equal((await database.query(ctx, sql(Count)`select count(*)::int4 as count from things`))[0]?.count, 0);
  names.push(new URL(url).pathname.slice(1));
  assert.notEqual(names[0], names[1]);
  const rows = await database.query(
    ctx,
    sql(Count)`select count(*)::int4 as count from pg_database where datname = any(${names})`,
  );
  assert.equal(rows[0]?.count, 1);
});

test("processes that race for the same template build it once", async (t) => {
  const source = { id: "0001_raced", sql: `create table raced (id int4); -- ${randomUUID()}` };
  const script = `
    import test from "node:test";
    import { defineMigrations } from ${JSON.stringify(new URL("../postgres/index.ts", import.meta.url).href)};
    import { postgresSandbox } from ${JSON.stringify(new URL("./postgres-sandbox.ts", import.meta.url).href)};
    const migrations = defineMigrations([${JSON.stringify(source)}]);
    test("raced", async (t) => { await postgresSandbox(t, { migrations }); });`;
  const children = [1, 2].map(() =>
    spawn(process.execPath, [...process.execArgv, "--input-type=module", "--eval", script], { stdio: "ignore" }),
  );
  t.after(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  const exits = await Promise.all(children.map((child) => once(child, "exit")));
  const { url } = await postgresSandbox(t);
  const templates = await dropTemplates(url, defineMigrations([source]));
  assert.deepEqual(exits, [
    [0, null],
    [0, null],
  ]);
  assert.equal(templates, 1);
});

async function dropTemplates(url: string, migrations: Migrations): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query("select datname from pg_database where starts_with(datname, $1)", [
    `parapet_test_${templateOf(migrations)}_`,
  ]);
  for (const { datname } of rows) await client.query(`drop database ${datname}`);
  await client.end();
  return rows.length;
}

test("what a killed process left behind long ago is dropped, and what is younger is left alone", async (t) => {
  const { url } = await postgresSandbox(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const old = `parapet_test_0123456789ab_${Date.now() - 7 * 60 * 60 * 1000}`;
  const young = `parapet_test_0123456789ab_${Date.now()}`;
  await client.query(`create database ${old}`);
  await client.query(`create database ${young}`);
  await postgresSandbox(t);
  const { rows } = await client.query("select datname from pg_database where datname = any($1)", [[old, young]]);
  await client.query(`drop database ${young}`);
  await client.end();
  assert.deepEqual(rows, [{ datname: young }]);
});

test("a migration that fails is the test's failure, and leaves no template behind", async (t) => {
  const bad = defineMigrations([{ id: "0001_bad", sql: `select 1 from nowhere -- ${randomUUID()}` }]);
  await assert.rejects(postgresSandbox(t, { migrations: bad }), (error) => {
    return hasCode(error, "internal") && error.fields.migration === "0001_bad";
  });
  const { url } = await postgresSandbox(t);
  assert.equal(await dropTemplates(url, bad), 0);
});

test("without a server it says what to do", async (t) => {
  const before = process.env.DATABASE_URL;
  process.env.DATABASE_URL = "postgres://postgres@127.0.0.1:1/postgres";
  t.after(() => {
    if (before === undefined) delete process.env.DATABASE_URL;
    else process.env.DATABASE_URL = before;
  });
  await assert.rejects(postgresSandbox(t), (error) => {
    return hasCode(error, "unavailable") && /start one on 127.0.0.1:5432.*DATABASE_URL/.test(error.message);
  });
});
