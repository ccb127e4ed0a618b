import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { defineMigrations, row, sql } from "../postgres/index.ts";
import { describeStatements, eventually, postgresSandbox, testContext } from "../testing/index.ts";
import { createInvalidator, noteInvalidation } from "./invalidations.ts";
import { outboxSchema } from "./schema.ts";

const migrations = defineMigrations([{ id: "0001_outbox", sql: outboxSchema }]);

async function invalidatorOf(t: TestContext) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const dropped: string[] = [];
  const cache = {
    away: false,
    invalidate: async (_ctx: Context, name: string, keys: readonly string[]) => {
      if (cache.away) throw new AppError("unavailable", "the cache is away");
      dropped.push(...keys.map((key) => `${name} ${key}`));
    },
  };
  const invalidator = createInvalidator({ from: database, to: cache, log: ctx.log });
  t.after(() => invalidator.stop(ctx).then(() => {}));
  const note = (...keys: string[]) => database.transaction(ctx, async (tx) => noteInvalidation(tx, "things", keys));
  const left = async () => {
    const [counted] = await database.query(
      ctx,
      sql(row({ n: "int4" }))`select count(*)::int4 as n from cache_invalidations`,
    );
    return counted?.n;
  };
  return { ctx, url, database, cache, dropped, invalidator, note, left };
}

test("what was noted is dropped, by whoever comes first, and is noted no more", async (t) => {
  const { ctx, dropped, invalidator, note, left } = await invalidatorOf(t);
  await note("a", "b");
  await note("a");
  assert.equal(await left(), 3);
  await invalidator.start(ctx);
  await eventually(async () => (await left()) === 0);
  assert.deepEqual(dropped.toSorted(), ["things a", "things b"]);
});

test("a transaction that is rolled back has noted nothing", async (t) => {
  const { ctx, database, left } = await invalidatorOf(t);
  const failing = database.transaction(ctx, async (tx) => {
    noteInvalidation(tx, "things", ["a"]);
    throw new Error("no");
  });
  await assert.rejects(failing);
  assert.equal(await left(), 0);
});

test("D6: while the cache is away nothing is forgotten, and all is dropped once it is back", async (t) => {
  const { ctx, cache, dropped, invalidator, note, left } = await invalidatorOf(t);
  cache.away = true;
  await note("a");
  await invalidator.start(ctx);
  await eventually(() => ctx.lines.some(({ msg }) => msg === "a background round failed"));
  assert.equal(await left(), 1);
  cache.away = false;
  await eventually(async () => (await left()) === 0, 10_000);
  assert.deepEqual(dropped, ["things a"]);
});

test("more than one round can hold is dropped round after round", async (t) => {
  const { ctx, dropped, invalidator, note, left } = await invalidatorOf(t);
  await note(...Array.from({ length: 1203 }, (_, n) => `${n}`));
  await invalidator.start(ctx);
  await eventually(async () => (await left()) === 0);
  assert.equal(dropped.length, 1203);
});

test("the statements of the invalidator are what the schema takes", async (t) => {
  const { url } = await invalidatorOf(t);
  const breaches = await describeStatements(url, new URL(".", import.meta.url));
  assert.deepEqual(
    breaches.filter((breach) => !breach.includes("never ran")),
    [],
  );
});
