import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { Lane } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import { sql } from "./sql.ts";
import { sqlstateOf } from "./sqlstate.ts";

const limits = { service: "lane-test", statementTimeoutMs: 1000, lockTimeoutMs: 500, transactionTimeoutMs: 0 };

function laneOn(t: TestContext, url: string) {
  const ctx = testContext();
  const lane = new Lane({ ...limits, url, log: ctx.log });
  t.after(() => lane.close());
  return { ctx, lane };
}

const number = (n: number) => ({ text: "select $1::int4 as n", name: "p_number", values: [n] });

test("statements of many callers share one connection, and each gets its own answer", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const numbers = Array.from({ length: 300 }, (_, n) => n);
  const answers = await Promise.all(numbers.map((n) => lane.run(ctx, number(n))));
  assert.deepEqual(
    answers.map(({ rows }) => rows),
    numbers.map((n) => [{ n }]),
  );
  const sessions = sql`select from pg_stat_activity where datname = current_database() and application_name = 'lane-test'`;
  assert.equal(await database.execute(ctx, sessions), 1);
  assert.equal(lane.inFlight, 0);
});

test("a statement that fails takes none of its neighbours along", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const failing = { text: "select 1 / $1::int4 as n", name: "p_divide", values: [0] };
  const outcomes = await Promise.allSettled(
    [number(1), failing, number(2), failing, number(3)].map((q) => lane.run(ctx, q)),
  );
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value.rows : sqlstateOf(outcome.reason))),
    [[{ n: 1 }], "22012", [{ n: 2 }], "22012", [{ n: 3 }]],
  );
});

test("a caller that leaves leaves alone: nothing is canceled, and its neighbours are answered", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  await withCancel(ctx, async (caller, leave) => {
    const slow = lane.run(caller, { text: "select pg_sleep(0.2)" });
    const left = assert.rejects(slow, (thrown) => hasCode(thrown, "canceled"));
    const neighbour = lane.run(ctx, number(7));
    leave(new AppError("canceled", "the caller is gone"));
    await left;
    assert.deepEqual((await neighbour).rows, [{ n: 7 }]);
  });
  await assert.rejects(
    withTimeout(ctx, 0, (done) => lane.run(done, number(1))),
    (thrown) => hasCode(thrown, "timeout"),
  );
});

test("C14: a connection that works only for callers who have left is cut, and the server ends what it runs", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const running = sql`select from pg_stat_activity
    where datname = current_database() and application_name = 'lane-test' and state = 'active'`;
  await withCancel(ctx, async (caller, leave) => {
    const queries = Array.from({ length: 20 }, () => lane.run(caller, { text: "select pg_sleep(0.9)" }));
    const left = Promise.allSettled(queries);
    await eventually(async () => (await database.execute(ctx, running)) === 1);
    leave(new AppError("canceled", "the callers are gone"));
    await left;
  });
  await eventually(async () => (await database.execute(ctx, running)) === 0, 2500);
  assert.deepEqual((await lane.run(ctx, number(7))).rows, [{ n: 7 }]);
});

test("a statement may take a second at most, so that no caller waits longer for its neighbours", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const startedAt = performance.now();
  const stuck = assert.rejects(lane.run(ctx, { text: "select pg_sleep(60)" }), (thrown) => hasCode(thrown, "timeout"));
  assert.deepEqual((await lane.run(ctx, number(7))).rows, [{ n: 7 }]);
  await stuck;
  assert.ok(performance.now() - startedAt < 2000);
});

test("C3: a connection that falls silent is cut, all its callers hear so, and the next statement makes another", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, lane } = laneOn(t, proxy.url);
  await lane.run(ctx, number(1));
  // The first statement of a busy time starts the watch, not one from long ago.
  await delay(1500);
  await proxy.blackhole();
  const startedAt = performance.now();
  const lost = await Promise.allSettled([1, 2, 3].map((n) => lane.run(ctx, number(n))));
  const ms = performance.now() - startedAt;
  assert.ok(lost.every((outcome) => outcome.status === "rejected" && hasCode(outcome.reason, "unavailable")));
  assert.ok(ms > 1900 && ms < 3000, `${ms} ms`);
  await proxy.pass();
  assert.deepEqual((await lane.run(ctx, number(4))).rows, [{ n: 4 }]);
});

test("C2: while the server is away each caller hears so within a second, and is served as soon as it is back", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, lane } = laneOn(t, proxy.url);
  await proxy.refuse();
  for (let n = 0; n < 5; n++)
    await assert.rejects(lane.run(ctx, number(n)), (thrown) => hasCode(thrown, "unavailable"));
  await proxy.blackhole();
  const startedAt = performance.now();
  await assert.rejects(lane.run(ctx, number(1)), (thrown) => hasCode(thrown, "unavailable"));
  assert.ok(performance.now() - startedAt < 1400);
  await proxy.pass();
  await eventually(() =>
    lane.run(ctx, number(1)).then(
      () => true,
      () => false,
    ),
  );
});

test("C9: no more than a thousand statements are under way at once; one more is refused, not queued", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const outcomes = await Promise.allSettled(Array.from({ length: 1010 }, (_, n) => lane.run(ctx, number(n))));
  const refused = outcomes.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 10);
  assert.deepEqual((await lane.run(ctx, number(1))).rows, [{ n: 1 }]);
});

test("a lane that is closed while it connects, or before it ever did, opens nothing more", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, lane } = laneOn(t, proxy.url);
  await proxy.blackhole();
  const waiting = assert.rejects(lane.run(ctx, number(1)), (thrown) => hasCode(thrown, "unavailable"));
  await eventually(() => proxy.accepted === 1);
  await lane.close();
  await waiting;
  await proxy.pass();
  await assert.rejects(lane.run(ctx, number(1)), (thrown) => hasCode(thrown, "unavailable"));
  assert.equal(proxy.accepted, 1);
  await laneOn(t, url).lane.close();
});

test("statements go to the lane with the fewest under way, so that a stuck one holds up only its own", async (t) => {
  const { url } = await postgresSandbox(t);
  const ctx = testContext();
  const lanes = new Lanes({ ...limits, statementTimeoutMs: 5000, url, log: ctx.log });
  t.after(() => lanes.close());
  await lanes.warmUp(ctx);
  assert.deepEqual(lanes.stats, { open: 2, inFlight: 0 });
  const stuck = lanes.run(ctx, { text: "select pg_sleep(0.5)" });
  const startedAt = performance.now();
  for (let n = 0; n < 20; n++) await lanes.run(ctx, number(n));
  assert.ok(performance.now() - startedAt < 400);
  await stuck;
});

test("C10: a lane that can't connect has no statements while the other one works, and has its part again when it can", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const ctx = testContext();
  const proxy = await faultProxy(t, url);
  const lanes = new Lanes({ ...limits, url: proxy.url, log: ctx.log });
  t.after(() => lanes.close());
  await lanes.warmUp(ctx);
  await proxy.refuse();
  const { rows } = await lanes.run(ctx, { text: "select pg_backend_pid() as pid" });
  const { pid } = rows[0] as { readonly pid: number };
  await database.execute(ctx, sql`select pg_terminate_backend(${pid})`);
  await eventually(() => lanes.stats.open === 1);
  for (let n = 0; n < 50; n++) await lanes.run(ctx, number(n));
  await proxy.pass();
  await eventually(async () => {
    await lanes.run(ctx, number(1));
    return lanes.stats.open === 2;
  });
});

test("a row that can't be read is its reader's misfortune, and takes nobody along", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const outcomes = await Promise.allSettled([
    lane.run(ctx, number(1)),
    lane.run(ctx, { text: "select array[1, null] as a" }),
    lane.run(ctx, number(2)),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === "fulfilled" ? "read" : outcome.reason.code)),
    ["read", "internal", "read"],
  );
});

test("statements behind one that can't be prepared fail as it does, and are prepared when they can be", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const { ctx, lane } = laneOn(t, url);
  const read = () => lane.run(ctx, { text: "select n from later", name: "p_later" });
  const outcomes = await Promise.allSettled([read(), read(), read()]);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === "rejected" && sqlstateOf(outcome.reason)),
    ["42P01", "26000", "26000"],
  );
  await database.execute(ctx, sql`create table later (n int4)`);
  assert.deepEqual((await read()).rows, []);
});

test("a lane that is closed in the pause before it connects again opens nothing more", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, lane } = laneOn(t, proxy.url);
  await proxy.refuse();
  await assert.rejects(lane.run(ctx, number(1)), (thrown) => hasCode(thrown, "unavailable"));
  await proxy.pass();
  const waiting = assert.rejects(lane.run(ctx, number(2)), (thrown) => hasCode(thrown, "unavailable"));
  await lane.close();
  await waiting;
  assert.equal(proxy.accepted, 0);
});
