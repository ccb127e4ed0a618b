import assert from "node:assert/strict";
import test from "node:test";
import { withTimeout } from "../context/index.ts";
import { hasCode } from "../errors/index.ts";
import { eventually, postgresSandbox, testContext } from "../testing/index.ts";
import { row, sql } from "./index.ts";

const Locked = row({ locked: "bool" });
const Backend = row({ pid: "int4" });

test("a lock of one's own connection is held until that is closed", async (t) => {
  const { database } = await postgresSandbox(t, {});
  const ctx = testContext();
  const [one, other] = [await database.connect(ctx), await database.connect(ctx)];
  t.after(() => other.close());
  const lock = sql(Locked)`select pg_try_advisory_lock(7) as locked`;
  assert.deepEqual(
    [await one.query(ctx, lock), await other.query(ctx, lock)],
    [[{ locked: true }], [{ locked: false }]],
  );
  await one.close();
  await eventually(async () => (await other.query(ctx, lock))[0]?.locked === true);
});

test("statements that are asked for at once run one after the other, also behind one that was canceled", async (t) => {
  const { database } = await postgresSandbox(t, {});
  const ctx = testContext();
  const own = await database.connect(ctx);
  t.after(() => own.close());
  const slow = withTimeout(ctx, 50, (ctx) => own.execute(ctx, sql`select pg_sleep(60)`));
  const numbers = [1, 2, 3].map((n) => own.query(ctx, sql(row({ n: "int4" }))`select ${n}::int4 as n`));
  await assert.rejects(slow, (thrown) => hasCode(thrown, "timeout"));
  assert.deepEqual((await Promise.all(numbers)).flat(), [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("its owner hears of notifications, and of its end", async (t) => {
  const { database } = await postgresSandbox(t, {});
  const ctx = testContext();
  const own = await database.connect(ctx);
  let heard = 0;
  own.onNotification(() => heard++);
  await own.execute(ctx, sql`listen bench`);
  await database.execute(ctx, sql`notify bench`);
  await eventually(() => heard === 1);
  const [{ pid } = assert.fail()] = await own.query(ctx, sql(Backend)`select pg_backend_pid() as pid`);
  await database.execute(ctx, sql`select pg_terminate_backend(${pid})`);
  assert.ok(hasCode(await own.lost, "unavailable"));
  await assert.rejects(own.execute(ctx, sql`select 1`), (thrown) => hasCode(thrown, "unavailable"));
  await own.close();
});
