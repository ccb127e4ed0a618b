import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { Type } from "typebox";
import { event } from "../contract/index.ts";
import { hasCode } from "../errors/index.ts";
import { defineMigrations, row, sql } from "../postgres/index.ts";
import { describeStatements, eventually, postgresSandbox, testContext } from "../testing/index.ts";
import { appendToOutbox } from "./append.ts";
import { outboxRelaySchema, outboxSchema } from "./schema.ts";

const migrations = defineMigrations([
  { id: "0001_outbox", sql: outboxSchema },
  { id: "0002_outbox_relay", sql: outboxRelaySchema },
]);
const opened = event("shop.order.opened.v1", Type.Object({ n: Type.Integer() }));
const shipped = event("shop.order.shipped.v2", Type.Object({ n: Type.Integer() }));

const Stored = row({
  seq: "int8",
  aggregatetype: "text",
  aggregateid: "text",
  type: "text",
  payload: "bytea",
  lane: "int2",
});

async function outboxOf(t: TestContext) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const stored = async () => {
    const rows = await database.query(
      ctx,
      sql(Stored)`select seq, aggregatetype, aggregateid, type, payload, lane from outbox order by seq`,
    );
    return rows.map(({ aggregatetype, aggregateid, type, payload }) =>
      [aggregatetype, aggregateid, type, payload.toString()].join(" "),
    );
  };
  return { ctx, url, database, stored };
}

test("an event is there when its transaction is committed, and never when it is rolled back", async (t) => {
  const { ctx, database, stored } = await outboxOf(t);
  await database.transaction(ctx, async (tx) => {
    appendToOutbox(tx, { event: opened, key: "a", data: { n: 1 } });
    appendToOutbox(tx, { event: shipped, key: "a", data: { n: 2 } });
    appendToOutbox(tx, { event: opened, key: "b", data: { n: 3 } });
  });
  const failing = database.transaction(ctx, async (tx) => {
    appendToOutbox(tx, { event: opened, key: "c", data: { n: 4 } });
    throw new Error("no");
  });
  await assert.rejects(failing);
  // Of one key in the order of the calls; keys among each other in that of their locks.
  assert.deepEqual((await stored()).toSorted(), [
    'shop.order a shop.order.opened.v1 {"n":1}',
    'shop.order a shop.order.shipped.v2 {"n":2}',
    'shop.order b shop.order.opened.v1 {"n":3}',
  ]);
});

/** A promise that the test keeps when it wants to. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test("events are in the order of the commits, whichever transaction began first", async (t) => {
  const { ctx, database, stored } = await outboxOf(t);
  const [hasBegun, mayEnd] = [gate(), gate()];
  const first = database.transaction(ctx, async (tx) => {
    await tx.execute(ctx, sql`select pg_current_xact_id()`);
    appendToOutbox(tx, { event: opened, key: "a", data: { n: 1 } });
    hasBegun.open();
    await mayEnd.opened;
  });
  await hasBegun.opened;
  await database.transaction(ctx, async (tx) => appendToOutbox(tx, { event: opened, key: "a", data: { n: 2 } }));
  mayEnd.open();
  await first;
  assert.deepEqual(await stored(), [
    'shop.order a shop.order.opened.v1 {"n":2}',
    'shop.order a shop.order.opened.v1 {"n":1}',
  ]);
});

test("a transaction waits for the end of another one of its key, and for no others", async (t) => {
  const { ctx, database, stored } = await outboxOf(t);
  const append = (key: string, n: number, lastMs = 0) =>
    database.transaction(ctx, async (tx) => {
      appendToOutbox(tx, { event: opened, key, data: { n } });
      // Behind the row, with the key's lock in hand.
      tx.beforeCommit(async () => tx.executeAtCommit(sql`select pg_sleep(${lastMs / 1000})`));
    });
  const locks = (granted: boolean) => sql`
    select from pg_locks where locktype = 'advisory' and granted = ${granted}
      and database = (select oid from pg_database where datname = current_database())`;
  const first = append("a", 1, 700);
  await eventually(async () => (await database.execute(ctx, locks(true))) === 1);
  const second = append("a", 2);
  await eventually(async () => (await database.execute(ctx, locks(false))) === 1);
  await append("b", 3);
  assert.deepEqual(await stored(), ['shop.order b shop.order.opened.v1 {"n":3}']);
  await Promise.all([first, second]);
  assert.deepEqual(
    (await stored()).filter((line) => line.startsWith("shop.order a")),
    ['shop.order a shop.order.opened.v1 {"n":1}', 'shop.order a shop.order.opened.v1 {"n":2}'],
  );
});

test("transactions that append to the same keys in different orders do not lock each other out", async (t) => {
  const { ctx, database, stored } = await outboxOf(t);
  const keys = ["a", "b", "c", "d"];
  const append = (order: readonly string[]) =>
    database.transaction(ctx, async (tx) => {
      for (const key of order) appendToOutbox(tx, { event: opened, key, data: { n: 0 } });
    });
  await Promise.all(Array.from({ length: 40 }, (_, n) => append(n % 2 === 0 ? keys : keys.toReversed())));
  assert.equal((await stored()).length, 160);
});

test("an event that a hook of the commit appends is there, too", async (t) => {
  const { ctx, database, stored } = await outboxOf(t);
  await database.transaction(ctx, async (tx) => {
    appendToOutbox(tx, { event: opened, key: "a", data: { n: 1 } });
    tx.beforeCommit(async () => appendToOutbox(tx, { event: opened, key: "a", data: { n: 2 } }));
  });
  assert.equal((await stored()).length, 2);
});

test("data that breaks its event's contract is a bug, and commits nothing", async (t) => {
  const { ctx, database, stored } = await outboxOf(t);
  const broken = database.transaction(ctx, async (tx) => {
    appendToOutbox(tx, { event: opened, key: "a", data: { n: 1.5 } });
  });
  await assert.rejects(broken, (thrown) => hasCode(thrown, "internal") && thrown.fields.type === opened.type);
  assert.deepEqual(await stored(), []);
});

test("the statements of this room are what the schema takes", async (t) => {
  const { url } = await outboxOf(t);
  const breaches = await describeStatements(url, new URL(".", import.meta.url));
  assert.deepEqual(
    breaches.filter((breach) => !breach.includes("never ran")),
    [],
  );
});
