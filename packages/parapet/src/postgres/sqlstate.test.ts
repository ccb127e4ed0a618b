import assert from "node:assert/strict";
import test from "node:test";
import pg from "pg";
import { AppError, type ErrorCode, hasCode } from "../errors/index.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { defineMigrations } from "./migrations.ts";
import { sql } from "./sql.ts";
import { databaseError, endsSession, sqlstateOf, violates } from "./sqlstate.ts";

const migrations = defineMigrations([
  {
    id: "0001_things",
    sql: `
      create table things (
        id int4 primary key,
        name text not null constraint things_name_key unique,
        size int4 constraint things_size_check check (size > 0),
        at timestamptz,
        parent int4 constraint things_parent_fkey references things,
        payload jsonb
      );
      create function fail(state text) returns int4 language plpgsql as
        $$ begin raise exception 'told to fail' using errcode = state; end $$;`,
  },
]);

const CODES: Readonly<Record<string, ErrorCode>> = {
  "08006": "unavailable",
  "22001": "invalid",
  "22003": "invalid",
  "22007": "invalid",
  "22008": "invalid",
  "22021": "invalid",
  "22P02": "invalid",
  "22P05": "invalid",
  "23502": "invalid",
  "23503": "conflict",
  "23505": "conflict",
  "23514": "invalid",
  "23P01": "conflict",
  "25006": "unavailable",
  "40001": "unavailable",
  "40P01": "unavailable",
  "42P01": "internal",
  "42601": "internal",
  "53100": "unavailable",
  "53200": "unavailable",
  "53300": "unavailable",
  "54001": "invalid",
  "55P03": "unavailable",
  "57014": "timeout",
  "57P01": "unavailable",
  "57P02": "unavailable",
  "57P03": "unavailable",
  P0001: "internal",
  XX000: "internal",
};

test("every SQLSTATE that the server reports has the code that says what the caller can do about it", async (t) => {
  const { database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  for (const [sqlstate, code] of Object.entries(CODES)) {
    await assert.rejects(database.execute(ctx, sql`select fail(${sqlstate})`), (error) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual([error.code, error.fields.sqlstate], [code, sqlstate]);
      assert.equal(error.retryAfterMs !== undefined, code === "unavailable", sqlstate);
      return true;
    });
  }
});

test("what callers do wrong is theirs, with the constraint named and no value shown", async (t) => {
  const { database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  await database.execute(ctx, sql`insert into things (id, name) values (1, 'secret-name')`);
  const cases = [
    [sql`insert into things (id, name) values (${2}, ${"secret-name"})`, "conflict", "things_name_key"],
    [sql`insert into things (id, name, parent) values (${2}, ${"b"}, ${9})`, "conflict", "things_parent_fkey"],
    [sql`insert into things (id, name, size) values (${2}, ${"b"}, ${-1})`, "invalid", "things_size_check"],
    [sql`insert into things (id, name) values (${2}, ${null})`, "invalid", undefined],
    [sql`insert into things (id, name) values (${2147483648}, ${"b"})`, "invalid", undefined],
    [sql`insert into things (id, name) values (${1.5}, ${"b"})`, "invalid", undefined],
    [sql`insert into things (id, name, at) values (${2}, ${"b"}, ${"2024-02-31"})`, "invalid", undefined],
    [sql`insert into things (id, name, payload) values (${2}, ${"b"}, ${"{"})`, "invalid", undefined],
    [sql`insert into things (id, name, payload) values (${2}, ${"b"}, ${'"\\u0000"'})`, "invalid", undefined],
  ] as const;
  for (const [statement, code, constraint] of cases) {
    await assert.rejects(database.execute(ctx, statement), (error) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual([error.code, error.fields.constraint], [code, constraint], statement.site.text);
      assert.ok(!JSON.stringify([error.message, error.fields]).includes("secret"));
      return constraint === undefined || violates(error, constraint);
    });
  }
});

test("C17: text that can't be stored is invalid before it reaches the server, alone and in an array", async (t) => {
  const { database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  for (const text of ["\0", "a\0b", "\ud800", "x\udc00y"]) {
    for (const value of [text, ["fine", text]]) {
      const statement = sql`insert into things (id, name) values (1, ${value})`;
      await assert.rejects(
        database.execute(ctx, statement),
        (error) => hasCode(error, "invalid") && sqlstateOf(error) === undefined,
      );
    }
  }
  assert.equal(await database.execute(ctx, sql`insert into things (id, name) values (1, ${"\u{1F642} fine"})`), 1);
  const never = database.execute(ctx, sql`insert into things (id, name, at) values (2, 'b', ${new Date(Number.NaN)})`);
  await assert.rejects(never, (error) => hasCode(error, "invalid"));
});

test("an error that did not come from the server is unavailable: the connection is gone, or not understood", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const garbled = Object.assign(new pg.DatabaseError("no", 2, "error"), { code: "42p0\u0011" });
  assert.ok(endsSession(sqlstateOf(garbled)));
  for (const thrown of [refused, new RangeError("offset is out of range"), garbled]) {
    const error = databaseError(thrown, "in session");
    assert.deepEqual([error.code, error.cause], ["unavailable", thrown]);
  }
});

test("an error that is translated already stays as it is", () => {
  const canceled = new AppError("canceled", "the caller left");
  assert.equal(databaseError(canceled, "connecting"), canceled);
});

test("only an error that names the constraint violates it", () => {
  const conflict = new AppError("conflict", "taken", { fields: { constraint: "users_email_key" } });
  assert.equal(violates(conflict, "users_email_key"), true);
  assert.equal(violates(conflict, "users_pkey"), false);
  assert.equal(violates(new Error("users_email_key"), "users_email_key"), false);
});

test("a session is not used again after the server ended it, or turned out to be read-only", () => {
  for (const sqlstate of ["57P01", "57P03", "08006", "25P03", "25P04", "25006", undefined])
    assert.ok(endsSession(sqlstate), sqlstate);
  for (const sqlstate of ["23505", "57014", "40001"]) assert.ok(!endsSession(sqlstate), sqlstate);
});
