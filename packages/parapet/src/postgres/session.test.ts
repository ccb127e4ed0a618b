import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { type Context, withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { openSession } from "./open-session.ts";
import { row } from "./row.ts";
import type { Session } from "./session.ts";
import { sql } from "./sql.ts";
import { sqlstateOf } from "./sqlstate.ts";

const options = {
  service: "session-test",
  statementTimeoutMs: 5000,
  lockTimeoutMs: 2000,
  transactionTimeoutMs: 0,
  limitMs: 6000,
};
const gone = new AppError("canceled", "the caller left");

async function sessionOn(t: TestContext, url: string, limits: { limitMs?: number; statementTimeoutMs?: number } = {}) {
  const cancels: boolean[] = [];
  const onCancel = (passedOn: boolean) => void cancels.push(passedOn);
  const session = await openSession(testContext(), url, { ...options, ...limits, onCancel });
  t.after(() => session.close());
  return Object.assign(session, { cancels });
}

async function pidOf(ctx: Context, session: Session): Promise<number> {
  const { rows } = await session.run(ctx, { text: "select pg_backend_pid() as pid" });
  return (rows[0] as { pid: number }).pid;
}

const Activity = row({ pid: "int4", state: "text?", query: "text?" });

async function activityOf(t: TestContext) {
  const { url, database } = await postgresSandbox(t);
  const ctx = testContext();
  const running = async (text: string) => {
    const rows = await database.query(
      ctx,
      sql(Activity)`select pid, state, query from pg_stat_activity
        where datname = current_database() and state = 'active' and query = ${text}`,
    );
    return rows.length;
  };
  return { url, database, running };
}

test("C14: a caller that leaves hears so at once, and its query is gone from the server within a second", async (t) => {
  const { url, running } = await activityOf(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  const pid = await pidOf(ctx, session);
  await withCancel(ctx, async (inner, cancel) => {
    const query = session.run(inner, { text: "select pg_sleep(60)" });
    const rejected = assert.rejects(query, (error) => error === gone);
    await eventually(async () => (await running("select pg_sleep(60)")) === 1);
    const leftAt = performance.now();
    cancel(gone);
    await rejected;
    assert.ok(performance.now() - leftAt < 100, "the caller waited for the server");
  });
  await eventually(async () => (await running("select pg_sleep(60)")) === 0, 1000);
  assert.equal(await session.settled(), true);
  assert.equal(await pidOf(ctx, session), pid);
  assert.deepEqual(session.cancels, [true]);
});

test("a deadline ends a query as timeout, and the session is kept", async (t) => {
  const { url, running } = await activityOf(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  const query = withTimeout(ctx, 100, (inner) => session.run(inner, { text: "select pg_sleep(60)" }));
  await assert.rejects(query, (error) => hasCode(error, "timeout"));
  assert.equal(await session.settled(), true);
  assert.equal(await running("select pg_sleep(60)"), 0);
});

test("C13: a statement beyond the server's own limit is a timeout, and the session goes on", async (t) => {
  const { url } = await postgresSandbox(t);
  const session = await sessionOn(t, url, { statementTimeoutMs: 100 });
  const ctx = testContext();
  const pid = await pidOf(ctx, session);
  await assert.rejects(
    session.run(ctx, { text: "select pg_sleep(60)" }),
    (error) => hasCode(error, "timeout") && error.fields.sqlstate === "57014",
  );
  assert.equal(await session.settled(), true);
  assert.equal(await pidOf(ctx, session), pid);
  assert.deepEqual(session.cancels, []);
});

test("a context that is done already sends nothing", async (t) => {
  const { url } = await postgresSandbox(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  ctx.cancel(gone);
  await assert.rejects(session.run(ctx, { text: "select 1" }), (error) => error === gone);
  assert.equal(session.idle, true);
});

test("a second statement while one runs is a mistake of ours", async (t) => {
  const { url } = await postgresSandbox(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  const first = session.run(ctx, { text: "select 1" });
  await assert.rejects(session.run(ctx, { text: "select 2" }), (error) => hasCode(error, "internal"));
  await first;
});

test("no cancel hits the statement after the one that it was meant for", async (t) => {
  const { url } = await postgresSandbox(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  let canceled = 0;
  for (let round = 0; round < 300; round++) {
    const left = new AppError("canceled", "the caller left");
    await withCancel(ctx, async (inner, cancel) => {
      const query = session.run(inner, { text: "select pg_sleep(0.002)" }).catch((error) => {
        assert.equal(error, left);
        canceled++;
      });
      // Around the moment at which the answer comes: before it, with it, and after it.
      setTimeout(() => cancel(left), Math.random() * 5);
      await query;
    });
    assert.equal(await session.settled(), true);
    await session.run(ctx, { text: "select pg_sleep(0.001)" });
  }
  assert.ok(canceled > 20 && canceled < 300, `${canceled} of 300 were canceled: the test missed its moment`);
});

test("C3: a server that vanished is given up at the deadline, and its connection is cut, never reused", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const session = await sessionOn(t, proxy.url);
  const ctx = testContext();
  await session.run(ctx, { text: "select 1" });
  await proxy.blackhole();
  const startedAt = performance.now();
  const query = withTimeout(ctx, 200, (inner) => session.run(inner, { text: "select 2" }));
  await assert.rejects(query, (error) => hasCode(error, "timeout"));
  assert.ok(performance.now() - startedAt < 1000);
  assert.equal(await session.settled(), false);
  assert.ok(performance.now() - startedAt < 3500);
  await proxy.pass();
  await assert.rejects(session.run(ctx, { text: "select 3" }), (error) => hasCode(error, "unavailable"));
});

test("C5: a reply that drips in is given up at the session's limit, however often a byte arrives", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const session = await sessionOn(t, proxy.url, { limitMs: 300 });
  const ctx = testContext();
  await session.run(ctx, { text: "select 1" });
  await proxy.slice(1, 50);
  const startedAt = performance.now();
  const query = session.run(ctx, { text: "select repeat('x', 100)" });
  await assert.rejects(query, (error) => hasCode(error, "timeout"));
  assert.ok(performance.now() - startedAt < 1000);
});

test("a connection that the server ends says why, and is not used again", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  const pid = await pidOf(ctx, session);
  const rejected = assert.rejects(
    session.run(ctx, { text: "select pg_sleep(60)" }),
    (error) => hasCode(error, "unavailable") && sqlstateOf(error) === "57P01",
  );
  await database.execute(ctx, sql`select pg_terminate_backend(${pid})`);
  await rejected;
  assert.equal(await session.settled(), false);
  await assert.rejects(session.run(ctx, { text: "select 1" }), (error) => {
    return hasCode(error, "unavailable") && error.retryAfterMs !== undefined;
  });
});

test("C18: a transaction that idles too long is ended by the server, and what comes next is a timeout", async (t) => {
  const { url } = await postgresSandbox(t);
  const session = await sessionOn(t, url);
  const ctx = testContext();
  await session.script(ctx, "set idle_in_transaction_session_timeout = 50; begin");
  await eventually(() => !session.idle);
  await assert.rejects(
    session.run(ctx, { text: "select 1" }),
    (error) => hasCode(error, "timeout") && error.fields.sqlstate === "25P03",
  );
});

test("a cancel finds its way through a Unix socket", async (t) => {
  const folder = "/var/run/postgresql";
  if (!existsSync(`${folder}/.s.PGSQL.5432`)) return t.skip("the server listens on no Unix socket here");
  const { url, running } = await activityOf(t);
  const { pathname, username } = new URL(url);
  const session = await sessionOn(t, `postgres://${pathname}?host=${folder}&user=${username}`).catch((error) => error);
  if (session instanceof Error) return t.skip("the server does not let us in by its Unix socket");
  const query = withTimeout(testContext(), 200, (ctx) => session.run(ctx, { text: "select pg_sleep(60)" }));
  await assert.rejects(query, (error) => hasCode(error, "timeout"));
  assert.equal(await session.settled(), true);
  assert.equal(await running("select pg_sleep(60)"), 0);
});
