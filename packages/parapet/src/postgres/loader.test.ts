import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { type LoaderOptions, TurnLoader } from "./loader.ts";
import { defineMigrations } from "./migrations.ts";
import { type RowOf, row } from "./row.ts";
import { type RowStatement, sql } from "./sql.ts";

const migrations = defineMigrations([
  {
    id: "0001_things",
    sql: `create table things (id int4 primary key, name text not null);
      insert into things select n, 'thing ' || n from generate_series(1, 1000) n;`,
  },
]);

const Thing = row({ id: "int4", name: "text" });
type Thing = RowOf<typeof Thing>;

async function thingsOf(t: TestContext) {
  const { database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const batches: number[] = [];
  const options: LoaderOptions<number, Thing> = {
    select: (ids) => sql(Thing)`select id, name from things where id = any(${ids})`,
    key: ({ id }) => id,
  };
  const query = <Row>(_ctx: unknown, statement: RowStatement<Row>) => database.query(ctx, statement);
  const loader = new TurnLoader(options, { query, log: ctx.log, onBatch: (keys) => batches.push(keys) });
  return { ctx, loader, batches };
}

test("point reads of one turn of the event loop become one statement, and each gets its own row", async (t) => {
  const { ctx, loader, batches } = await thingsOf(t);
  const ids = Array.from({ length: 50 }, (_, n) => n + 1);
  const things = await Promise.all(ids.map((id) => loader.load(ctx, id)));
  assert.deepEqual(
    things.map((thing) => thing?.name),
    ids.map((id) => `thing ${id}`),
  );
  assert.deepEqual(batches, [50]);
});

test("a key that several ask for is asked for once, and one that does not exist gives undefined", async (t) => {
  const { ctx, loader, batches } = await thingsOf(t);
  const things = await Promise.all([7, 7, 5000, 7].map((id) => loader.load(ctx, id)));
  assert.deepEqual(
    things.map((thing) => thing?.id),
    [7, 7, undefined, 7],
  );
  assert.deepEqual(batches, [2]);
});

test("reads of different turns go their own ways, and more than two hundred keys in several statements", async (t) => {
  const { ctx, loader, batches } = await thingsOf(t);
  const first = loader.load(ctx, 1);
  await turn();
  await turn();
  await Promise.all([first, loader.load(ctx, 2)]);
  assert.deepEqual(batches, [1, 1]);
  await Promise.all(Array.from({ length: 450 }, (_, n) => loader.load(ctx, n + 1)));
  assert.deepEqual(batches.slice(2), [200, 200, 50]);
});

test("each caller has its own error: one key that fits no column fails nobody else", async (t) => {
  const { ctx, loader, batches } = await thingsOf(t);
  const outcomes = await Promise.allSettled([1, 2 ** 40, 3].map((id) => loader.load(ctx, id)));
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value?.id : outcome.reason.code)),
    [1, "invalid", 3],
  );
  assert.deepEqual(batches, [3, 1, 1, 1]);
});

test("each caller has its own deadline, and a read that nobody waits for any more is not made", async (t) => {
  const { ctx, loader, batches } = await thingsOf(t);
  await withCancel(ctx, async (caller, leave) => {
    const left = assert.rejects(loader.load(caller, 1), (thrown) => hasCode(thrown, "canceled"));
    const stays = loader.load(ctx, 2);
    leave(new AppError("canceled", "the caller is gone"));
    await left;
    assert.equal((await stays)?.id, 2);
  });
  assert.deepEqual(batches, [1]);
  await assert.rejects(
    withTimeout(ctx, 0, (done) => loader.load(done, 1)),
    (thrown) => hasCode(thrown, "timeout"),
  );
});
