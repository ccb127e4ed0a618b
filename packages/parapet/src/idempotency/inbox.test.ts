import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { Type } from "typebox";
import { event } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";
import { createConsumer, createMemoryBroker, on } from "../messaging/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { defineMigrations, type Queryable, row, sql } from "../postgres/index.ts";
import { eventually, postgresSandbox, testContext } from "../testing/index.ts";
import { forgetExpired } from "./inbox-expiry.ts";
import { createStartMarks, inboxSchema, OnceTransactions } from "./index.ts";

const migrations = defineMigrations([
  { id: "0001_inbox", sql: inboxSchema },
  { id: "0002_effects", sql: "create table effects (n int4 not null)" },
]);

/** A promise of a single effect of a message, as a consumer hands it on. */
function message(messageId: string, consumer = "bench") {
  return {
    take: () => ({ kind: "message", consumer, messageId }) as const,
    encode: () => "",
    replay: () => {
      throw new Error("replayed");
    },
    refuseMismatch: () => assert.fail("a message has nothing that could differ"),
    refuseBusy: () => assert.fail("a message has no reply to wait for"),
  };
}

async function inboxOf(t: TestContext) {
  const { database } = await postgresSandbox(t, { migrations });
  const ctx = testContext();
  const count = async (table: "effects" | "inbox" | "inbox_starts") => {
    const one = row({ n: "int4" });
    const statement = {
      effects: sql(one)`select count(*)::int4 as n from effects`,
      inbox: sql(one)`select count(*)::int4 as n from inbox`,
      inbox_starts: sql(one)`select count(*)::int4 as n from inbox_starts`,
    }[table];
    return (await database.query(ctx, statement))[0]?.n;
  };
  const effect = (n: number) => async (tx: Queryable) => {
    await tx.execute(ctx, sql`insert into effects (n) values (${n})`);
  };
  return { ctx, database, count, effect, once: new OnceTransactions(database) };
}

test("E13: a message takes effect once for each who consumes it, however often it comes", async (t) => {
  const { ctx, once, effect, count } = await inboxOf(t);
  await once.run(ctx, effect(1), message("m"));
  for (const n of [2, 3]) await assert.rejects(once.run(ctx, effect(n), message("m")), /replayed/);
  await once.run(ctx, effect(4), message("m", "another"));
  assert.deepEqual([await count("effects"), await count("inbox")], [2, 2]);
});

test("an effect that fails leaves nothing in the inbox, and can be had later", async (t) => {
  const { ctx, once, effect, count } = await inboxOf(t);
  const failing = once.run(ctx, () => Promise.reject(new Error("no")), message("m"));
  await assert.rejects(failing, /no/);
  assert.equal(await count("inbox"), 0);
  await once.run(ctx, effect(1), message("m"));
  assert.equal(await count("effects"), 1);
});

test("who has the same message at the same time waits for the first, and takes over when that fails", async (t) => {
  const { ctx, once, effect, count } = await inboxOf(t);
  for (const outcome of ["commit", "fail"] as const) {
    let end: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let isRunning = false;
    const first = once.run(
      ctx,
      async (tx) => {
        isRunning = true;
        await ended;
        if (outcome === "fail") throw new Error("no");
        await effect(1)(tx);
      },
      message(outcome),
    );
    await eventually(() => isRunning);
    const second = once.run(ctx, effect(2), message(outcome));
    const outcomes = Promise.allSettled([first, second]);
    end();
    const statuses = (await outcomes).map(({ status }) => status);
    assert.deepEqual(statuses, outcome === "commit" ? ["fulfilled", "rejected"] : ["rejected", "fulfilled"]);
  }
  assert.deepEqual([await count("effects"), await count("inbox")], [2, 2]);
});

test("a message is remembered for a week, and then forgotten in small batches", async (t) => {
  const { ctx, database, once, effect, count } = await inboxOf(t);
  await database.execute(
    ctx,
    sql`
      insert into inbox (consumer, message_id, at)
      select 'bench', n::text, now() - interval '8 days' from generate_series(1, 1500) n`,
  );
  await database.execute(ctx, sql`insert into inbox_starts values ('bench', 'old', 1, now() - interval '8 days')`);
  await once.run(ctx, effect(1), message("young"));
  assert.equal(await forgetExpired(ctx, database), true);
  assert.equal(await forgetExpired(ctx, database), false);
  assert.deepEqual([await count("inbox"), await count("inbox_starts")], [1, 0]);
});

test("starts of a message are counted until it has ended, for each who consumes it", async (t) => {
  const { ctx, database, count } = await inboxOf(t);
  const { began, ended } = createStartMarks(database);
  assert.deepEqual([await began(ctx, "bench", "m"), await began(ctx, "bench", "m")], [1, 2]);
  assert.equal(await began(ctx, "another", "m"), 1);
  await ended(ctx, "bench", "m");
  assert.equal(await began(ctx, "bench", "m"), 1);
  assert.equal(await count("inbox_starts"), 2);
});

test("a hundred messages that each come twice, some after a failure, have a hundred effects", async (t) => {
  const { database, once, ctx, count } = await inboxOf(t);
  const made = event("bench.thing.made.v1", Type.Object({ n: Type.Integer() }));
  const [broker, registry] = [createMemoryBroker(), createRegistry()];
  const failed = new Set<number>();
  const consumer = createConsumer({
    from: broker,
    group: "bench",
    handlers: [
      on(made, async (ctx, { data: { n }, once: promise }) => {
        await once.run(
          ctx,
          async (tx) => {
            await tx.execute(ctx, sql`insert into effects (n) values (${n})`);
            if (n % 10 > 0 || failed.has(n)) return;
            failed.add(n);
            throw new AppError("unavailable", "not now");
          },
          promise,
        );
      }),
    ],
    log: ctx.log,
    metrics: registry,
    starts: createStartMarks(database),
  });
  await consumer.start(ctx);
  t.after(async () => {
    await consumer.stop(testContext());
    await broker.stop(testContext());
  });
  const sent = Array.from({ length: 200 }, (_, n) => n % 100);
  for (const n of sent) {
    const data = Buffer.from(JSON.stringify({ n }));
    const attributes = {
      id: `id-${n}`,
      type: made.type,
      source: "bench",
      key: `${n % 7}`,
      time: new Date(),
      headers: {},
    };
    await broker.publish(ctx, { ...attributes, data });
  }
  const isSettled = async () => {
    const text = await registry.text();
    const of = (result: string) => Number(new RegExp(`result="${result}"} (\\d+)`).exec(text)?.[1] ?? 0);
    return of("done") + of("duplicate") === sent.length;
  };
  await eventually(isSettled, 20_000);
  assert.deepEqual([await count("effects"), await count("inbox")], [100, 100]);
});
