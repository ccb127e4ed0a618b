// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings hold source text.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { hasCode } from "../errors/index.ts";
import { defineMigrations } from "../postgres/index.ts";
import { describeStatements } from "./describe-statements.ts";
import { postgresSandbox } from "./postgres-sandbox.ts";

const migrations = defineMigrations([
  {
    id: "0001_users",
    sql: `
      create type mood as enum ('sad', 'happy');
      create table users (
        id uuid primary key, name varchar(20) not null, nickname text, mood mood not null, tags text[] not null,
        size int4 not null, at timestamptz not null, invited_by uuid references users
      );
      create view named as select id, name from users;`,
  },
]);

/** Writes a repository with these statements, makes those that run, and describes them all. */
async function describe(t: TestContext, statements: readonly string[], ran = statements): Promise<readonly string[]> {
  const { url } = await postgresSandbox(t, { migrations });
  const folder = mkdtempSync(join(tmpdir(), "describe-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const room = JSON.stringify(new URL("../postgres/index.ts", import.meta.url).href);
  const lines = statements.map((statement) => (ran.includes(statement) ? `${statement};` : `() => ${statement};`));
  const file = join(folder, "repository.ts");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(
    file,
    [`import { row, sql } from ${room};const id = "0", User = "", tags = [""];`, ...lines].join("\n"),
  );
  await import(pathToFileURL(file).href);
  return describeStatements(url, pathToFileURL(`${folder}/`));
}

test("rows that tell the truth have no breach", async (t) => {
  const breaches = await describe(t, [
    'sql(row({ id: "uuid", name: "text", nickname: "text?" }))`select id, name, nickname from users where id = ${id}`',
    'sql(row({ mood: "text", tags: "text[]", at: "timestamptz" }))`select mood, tags, at from users where tags = ${tags}`',
    "sql(row({ id: \"uuid\" }))`insert into users (id, name, mood, tags, size, at) values (${id}, ${id}, 'sad', ${tags}, 1, now()) returning id`",
    "sql`delete from users where id = ${id}`",
    'sql(row({ count: "int8", most: "int4?" }))`select count(*), max(size) as most from users`',
    'sql(row({ name: "text" }))`select name from named`',
    'sql(row({ name: "text", host: "text?" }))`select u.name, i.name as host from users u left join users i on i.id = u.invited_by`',
  ]);
  assert.deepEqual(breaches, []);
});

test("a row that lies about a type, a null or a name is found, with its place and the truth", async (t) => {
  const breaches = await describe(t, [
    'sql(row({ id: "text" }))`select id from users`',
    'sql(row({ nickname: "text" }))`select nickname from users`',
    'sql(row({ name: "text?" }))`select name from users`',
    'sql(row({ name: "text", email: "text" }))`select name from users where true`',
    'sql(row({ name: "text" }))`select name, size from users`',
    'sql(row({ name: "text" }))`select name, id::text as name from users`',
    'sql(row({ tags: "text" }))`select tags from users`',
    'sql(row({ count: "int4" }))`select count(*) from users`',
  ]);
  assert.deepEqual(breaches, [
    "repository.ts:2: column id is uuid, declared text",
    "repository.ts:3: column nickname may be null, declared never null",
    "repository.ts:4: column name is never null, declared may be null",
    "repository.ts:5: column email is declared but not selected",
    "repository.ts:6: column size is selected but not declared",
    "repository.ts:7: column name is selected twice",
    "repository.ts:8: column tags is text[], declared text",
    "repository.ts:9: column count is int8, declared int4",
  ]);
});

test("a statement that the schema does not bear is found, also one without rows", async (t) => {
  const breaches = await describe(t, ["sql`update users set shoe_size = 1`", "sql`delete frm users`"]);
  assert.deepEqual(breaches, [
    'repository.ts:2: the server refuses it: column "shoe_size" of relation "users" does not exist',
    'repository.ts:3: the server refuses it: syntax error at or near "frm"',
  ]);
});

test("a statement that never ran is found, since nobody knows its row", async (t) => {
  const statements = [
    'sql(row({ id: "text" }))`select id from users where true`',
    "sql`delete from users where false`",
  ];
  const breaches = await describe(t, statements, statements.slice(1));
  assert.deepEqual(breaches, ["repository.ts:2: never ran"]);
  const twins = ["sql`delete from users where size = 1`;", "sql`delete from users where size = 1`"];
  assert.deepEqual(await describe(t, twins, twins.slice(1)), [
    "repository.ts:2: it or another of the same text never ran",
    "repository.ts:3: it or another of the same text never ran",
  ]);
});

test("a folder without a statement is a mistake of the test", async (t) => {
  await assert.rejects(describe(t, []), (error) => hasCode(error, "invalid"));
});
