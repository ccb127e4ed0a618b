import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { withTimeout } from "../context/index.ts";
import { hasCode } from "../errors/index.ts";
import { defineMigrations, type Queryable, row, sql } from "../postgres/index.ts";
import { describeStatements, eventually, postgresSandbox, Replayed, testContext, testOnce } from "../testing/index.ts";
import { deleteExpired } from "./expiry.ts";
import { inboxSchema } from "./inbox-schema.ts";
import { OnceTransactions } from "./once-transactions.ts";
import { idempotencySchema } from "./schema.ts";

const migrations = defineMigrations([
  { id: "0001_idempotency", sql: idempotencySchema },
  { id: "0002_inbox", sql: inboxSchema },
  { id: "0003_effects", sql: "create table effects (n int4 not null)" },
]);

async function onceOf(t: TestContext) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const count = async (table: "effects" | "idempotency_keys") => {
    const statement =
      table === "effects"
        ? sql(row({ n: "int4" }))`select count(*)::int4 as n from effects`
        : sql(row({ n: "int4" }))`select count(*)::int4 as n from idempotency_keys`;
    return (await database.query(ctx, statement))[0]?.n;
  };
  const work = (n: number) => async (tx: Queryable) => {
    await tx.execute(ctx, sql`insert into effects (n) values (${n})`);
    return n;
  };
  const age = () => database.execute(ctx, sql`update idempotency_keys set created_at = now() - interval '25 hours'`);
  // Two processes do not know of each other's claims under way.
  const [one, other] = [new OnceTransactions(database), new OnceTransactions(database)];
  return { ctx, url, database, one, other, count, work, age };
}

const replayed = (reply: unknown) => (thrown: unknown) => thrown instanceof Replayed && thrown.reply === reply;

test("F26: the effect and its reply are one commit: a claim that comes again, anywhere, gets the reply and has no effect", async (t) => {
  const { ctx, one, other, count, work } = await onceOf(t);
  assert.equal(await one.run(ctx, work(1), testOnce("k")), 1);
  await assert.rejects(one.run(ctx, work(2), testOnce("k")), replayed(1));
  await assert.rejects(other.run(ctx, work(3), testOnce("k")), replayed(1));
  await assert.rejects(one.run(ctx, work(4), testOnce("k", "another request")), (thrown) => hasCode(thrown, "invalid"));
  assert.deepEqual([await count("effects"), await count("idempotency_keys")], [1, 1]);
});

test("without a claim, or without a promise at all, each run has its effect", async (t) => {
  const { ctx, one, count, work } = await onceOf(t);
  await one.run(ctx, work(1), testOnce());
  await one.run(ctx, work(1), undefined);
  assert.deepEqual([await count("effects"), await count("idempotency_keys")], [2, 0]);
});

test("F26: work that fails keeps nothing, and its key can be used again, for something else too", async (t) => {
  const { ctx, one, count, work } = await onceOf(t);
  const failing = one.run(ctx, () => Promise.reject(new Error("no")), testOnce("k"));
  await assert.rejects(failing, /no/);
  assert.equal(await one.run(ctx, work(1), testOnce("k", "another request")), 1);
  assert.deepEqual([await count("effects"), await count("idempotency_keys")], [1, 1]);
});

for (const where of ["one", "other"] as const) {
  test(`F26: who comes while the claim is under way waits a second at most, and holds no connection (${where} process)`, async (t) => {
    const { ctx, database, count, work, ...processes } = await onceOf(t);
    let finish = (): void => {};
    const mayFinish = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let isRunning = false;
    const first = processes.one.run(
      ctx,
      async (tx) => {
        isRunning = true;
        await mayFinish;
        return work(1)(tx);
      },
      testOnce("k"),
    );
    await eventually(() => isRunning);
    const startedAt = performance.now();
    const waiting = Array.from({ length: 30 }, () => processes[where].run(ctx, work(2), testOnce("k")));
    const outcomes = Promise.allSettled(waiting);
    // Ten connections, and thirty who wait: a transaction of somebody else's gets one at once.
    for (let n = 0; n < 10; n++) {
      const askedAt = performance.now();
      await database.transaction(ctx, (tx) => tx.execute(ctx, sql`select 1`));
      assert.ok(performance.now() - askedAt < 400, `${performance.now() - askedAt} ms`);
    }
    const settled = await outcomes;
    assert.ok(performance.now() - startedAt < 2500);
    assert.ok(settled.every((one) => one.status === "rejected" && hasCode(one.reason, "conflict")));
    finish();
    assert.equal(await first, 1);
    assert.equal(await count("effects"), 1);
    await assert.rejects(processes[where].run(ctx, work(2), testOnce("k")), replayed(1));
  });
}

test("F26: one that waits gets the reply as soon as the first is done, and leaves when its own time is up", async (t) => {
  const { ctx, one, other, work } = await onceOf(t);
  const slow = one.run(
    ctx,
    async (tx) => {
      await tx.execute(ctx, sql`select pg_sleep(0.3)`);
      return work(1)(tx);
    },
    testOnce("k"),
  );
  const hurried = withTimeout(ctx, 100, (ctx) => one.run(ctx, work(2), testOnce("k")));
  await assert.rejects(hurried, (thrown) => hasCode(thrown, "timeout"));
  await assert.rejects(other.run(ctx, work(2), testOnce("k")), replayed(1));
  assert.equal(await slow, 1);
});

test("of two processes that claim at the same instant, one has the effect, time after time", async (t) => {
  const { ctx, one, other, count, work } = await onceOf(t);
  for (let round = 0; round < 30; round++) {
    const outcomes = await Promise.allSettled(
      [one, other, one, other].map((o) => o.run(ctx, work(round), testOnce(`${round}`))),
    );
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  }
  assert.equal(await count("effects"), 30);
});

test("a reply is kept for a day: then the key is free, and what is left of it is deleted", async (t) => {
  const { ctx, database, one, count, work, age } = await onceOf(t);
  await one.run(ctx, work(1), testOnce("k"));
  await age();
  assert.equal(await one.run(ctx, work(2), testOnce("k")), 2);
  await assert.rejects(one.run(ctx, work(3), testOnce("k")), replayed(2));
  await age();
  await one.run(ctx, work(4), testOnce("fresh"));
  assert.equal(await deleteExpired(ctx, database), false);
  assert.deepEqual([await count("effects"), await count("idempotency_keys")], [3, 1]);
});

test("more expired keys than one round deletes are deleted round after round", async (t) => {
  const { ctx, database, count, age } = await onceOf(t);
  await database.execute(
    ctx,
    sql`insert into idempotency_keys select '', 'test', n::text, '', '' from generate_series(1, 1500) n`,
  );
  await age();
  assert.equal(await deleteExpired(ctx, database), true);
  assert.equal(await deleteExpired(ctx, database), false);
  assert.equal(await count("idempotency_keys"), 0);
});

test("the statements of this room are what the schema takes", async (t) => {
  const { url } = await onceOf(t);
  const breaches = await describeStatements(url, new URL(".", import.meta.url));
  assert.deepEqual(
    breaches.filter((breach) => !breach.includes("never ran")),
    [],
  );
});
