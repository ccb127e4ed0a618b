import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { withTimeout } from "../context/index.ts";
import { hasCode } from "../errors/index.ts";
import { eventually } from "../testing/eventually.ts";
import { faultProxy } from "../testing/fault-proxy.ts";
import { LOOPBACK, listenOnLoopback } from "../testing/loopback.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { type RecordedContext, testContext } from "../testing/test-context.ts";
import type { Session } from "./session.ts";
import { SessionPool } from "./session-pool.ts";
import { sql } from "./sql.ts";

const limits = {
  service: "pool-test",
  statementTimeoutMs: 5000,
  lockTimeoutMs: 2000,
  transactionTimeoutMs: 0,
  limitMs: 6000,
};

function poolOn(t: TestContext, url: string, max: number): { ctx: RecordedContext; pool: SessionPool } {
  const ctx = testContext();
  const pool = new SessionPool({ ...limits, url, max, log: ctx.log, onCancel: () => {} });
  t.after(() => pool.end(ctx));
  return { ctx, pool };
}

async function pidOf(ctx: RecordedContext, session: Session): Promise<number> {
  const { rows } = await session.run(ctx, { text: "select pg_backend_pid() as pid" });
  return (rows[0] as { pid: number }).pid;
}

/** Accepts connections and never says a word. */
async function silentServer(t: TestContext): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  const port = await listenOnLoopback(server);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `postgres://nobody@${LOOPBACK}:${port}/nothing`;
}

test("a session that was given back is the next one to be had", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 3);
  const pids = new Set<number>();
  for (let round = 0; round < 5; round++) {
    const session = await pool.acquire(ctx);
    pids.add(await pidOf(ctx, session));
    pool.release(session);
  }
  assert.equal(pids.size, 1);
  assert.deepEqual(pool.stats, { total: 1, idle: 1, waiting: 0 });
});

test("C9: ten times as many wait as there are sessions, the next is refused at once, and waiting ends after a second", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 2);
  const out = await Promise.all([pool.acquire(ctx), pool.acquire(ctx)]);
  const startedAt = performance.now();
  const waiting = Array.from({ length: 20 }, () => pool.acquire(ctx));
  const settled = Promise.allSettled(waiting);
  assert.equal(pool.stats.waiting, 20);
  await assert.rejects(pool.acquire(ctx), (error) => hasCode(error, "unavailable") && error.retryAfterMs !== undefined);
  assert.ok(performance.now() - startedAt < 500);
  for (const result of await settled) {
    assert.ok(result.status === "rejected" && hasCode(result.reason, "unavailable"));
  }
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs > 900 && waitedMs < 2000, `waited ${waitedMs} ms`);
  for (const session of out) pool.release(session);
  assert.equal(pool.stats.waiting, 0);
});

test("those who wait are served in the order in which they came", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 1);
  const first = await pool.acquire(ctx);
  const order: number[] = [];
  const waiters = [1, 2].map(async (n) => {
    const session = await pool.acquire(ctx);
    order.push(n);
    pool.release(session);
  });
  pool.release(first);
  await Promise.all(waiters);
  assert.deepEqual(order, [1, 2]);
});

test("a caller whose context ends while it waits hears so at once, and the session goes to another", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 1);
  const session = await pool.acquire(ctx);
  const startedAt = performance.now();
  await assert.rejects(
    withTimeout(ctx, 50, (inner) => pool.acquire(inner)),
    (error) => hasCode(error, "timeout"),
  );
  assert.ok(performance.now() - startedAt < 500);
  pool.release(session);
  pool.release(await pool.acquire(ctx));
  assert.deepEqual(pool.stats, { total: 1, idle: 1, waiting: 0 });
});

test("a session that still settles is given to nobody until it has", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 1);
  const session = await pool.acquire(ctx);
  await assert.rejects(withTimeout(ctx, 50, (inner) => session.run(inner, { text: "select pg_sleep(60)" })));
  pool.release(session);
  const again = await pool.acquire(ctx);
  assert.equal(again, session);
  await again.run(ctx, { text: "select 1" });
  pool.release(again);
});

test("a session that can't be used again is replaced", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 1);
  const session = await pool.acquire(ctx);
  const pid = await pidOf(ctx, session);
  session.destroy();
  pool.release(session);
  const next = await pool.acquire(ctx);
  assert.notEqual(await pidOf(ctx, next), pid);
  pool.release(next);
});

test("C7: a server that turned read-only loses its connection", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 1);
  const session = await pool.acquire(ctx);
  await session.script(ctx, "set default_transaction_read_only = on");
  const write = session.run(ctx, { text: "create table t ()" });
  await assert.rejects(write, (error) => hasCode(error, "unavailable") && error.fields.sqlstate === "25006");
  pool.release(session);
  const next = await pool.acquire(ctx);
  await next.script(ctx, "create table t ()");
  pool.release(next);
});

test("C10: a server without a free connection is unavailable, and so is one that does not let us in", async (t) => {
  const { url } = await postgresSandbox(t);
  const role = new URL(url).pathname.slice(1);
  const { ctx, pool } = poolOn(t, url, 1);
  const session = await pool.acquire(ctx);
  await session.script(ctx, `create role ${role} login connection limit 0`);
  const acquireAs = (username: string) => {
    const other = new URL(url);
    other.username = username;
    return poolOn(t, other.href, 1).pool.acquire(ctx);
  };
  const full = await acquireAs(role).catch((error) => error);
  await session.script(ctx, `drop role ${role}`);
  const absent = await acquireAs(role).catch((error) => error);
  pool.release(session);
  assert.ok(hasCode(full, "unavailable") && full.fields.sqlstate === "53300");
  assert.ok(hasCode(absent, "unavailable") && absent.fields.sqlstate === "28000");
});

test("C10: while a server has no more connections to give, those that there are serve all callers, and it is hardly asked for another", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const role = new URL(url).pathname.slice(1);
  const { ctx, pool: admin } = poolOn(t, url, 1);
  const session = await admin.acquire(ctx);
  const proxy = await faultProxy(t, url);
  const limited = new URL(proxy.url);
  limited.username = role;
  const { pool } = poolOn(t, limited.href, 10);
  const turns = (callers: number) =>
    Promise.allSettled(
      Array.from({ length: callers }, async () => {
        const session = await pool.acquire(ctx);
        await session.run(ctx, { text: "select pg_sleep(0.005)" }).finally(() => pool.release(session));
      }),
    );
  await session.script(ctx, `create role ${role} login connection limit 2`);
  try {
    const served = await turns(30);
    assert.ok(served.every(({ status }) => status === "fulfilled"));
    assert.equal(pool.stats.total, 2);
    assert.ok(proxy.accepted <= 25, `${proxy.accepted} attempts`);

    await session.script(ctx, `alter role ${role} connection limit 0`);
    await database.execute(ctx, sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`);
    await eventually(() => pool.stats.total === 0);
    const before = proxy.accepted;
    const refusedUntil = performance.now() + 1000;
    while (performance.now() < refusedUntil) {
      const outcomes = await turns(20);
      assert.ok(
        outcomes.every((one) => one.status === "rejected" && one.reason.fields.sqlstate === "53300"),
        "all hear at once what the server said",
      );
    }
    assert.ok(proxy.accepted - before <= 40, `${proxy.accepted - before} attempts in a second`);

    await session.script(ctx, `alter role ${role} connection limit 20`);
    const again = await turns(20);
    assert.ok(again.every(({ status }) => status === "fulfilled"));
  } finally {
    await pool.end(ctx);
    await session.script(ctx, `drop role ${role}`);
    admin.release(session);
  }
});

test("C10: who waits when the last connection is lost has the next one, as soon as the server gives it", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, pool } = poolOn(t, proxy.url, 3);
  const last = await pool.acquire(ctx);
  await proxy.refuse();
  const waiting = [1, 2].map(async () => pool.release(await pool.acquire(ctx)));
  // Their connections are refused, and they wait for this one.
  await eventually(() => pool.stats.total === 1);
  await proxy.pass();
  last.destroy();
  pool.release(last);
  await Promise.all(waiting);
});

test("C2: a server that refuses connections is unavailable at once", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  await proxy.refuse();
  const { ctx, pool } = poolOn(t, proxy.url, 2);
  const startedAt = performance.now();
  await assert.rejects(pool.acquire(ctx), (error) => hasCode(error, "unavailable") && error.retryAfterMs !== undefined);
  assert.ok(performance.now() - startedAt < 500);
  await proxy.pass();
  pool.release(await pool.acquire(ctx));
});

test("C3: a server that accepts and says nothing is unavailable after a second, and its connections are let go of", async (t) => {
  const { ctx, pool } = poolOn(t, await silentServer(t), 2);
  const startedAt = performance.now();
  await assert.rejects(pool.acquire(ctx), (error) => hasCode(error, "unavailable"));
  assert.ok(performance.now() - startedAt < 1500);
  await eventually(() => pool.stats.total === 0, 3000);
});

test("C3: after a black hole the first ten callers are served", async (t) => {
  const { url } = await postgresSandbox(t);
  const proxy = await faultProxy(t, url);
  const { ctx, pool } = poolOn(t, proxy.url, 3);
  const selectOne = async (timeoutMs: number) => {
    const session = await pool.acquire(ctx);
    try {
      await withTimeout(ctx, timeoutMs, (inner) => session.run(inner, { text: "select 1" }));
    } finally {
      pool.release(session);
    }
  };
  await Promise.all([selectOne(5000), selectOne(5000), selectOne(5000)]);
  await proxy.blackhole();
  await Promise.allSettled([selectOne(200), selectOne(200), selectOne(200)]);
  await eventually(() => pool.stats.total === 0);
  await proxy.pass();
  for (let round = 0; round < 10; round++) await selectOne(5000);
});

test("connections that the server ends while nobody uses them are replaced without anybody noticing", async (t) => {
  const { url, database } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 3);
  const sessions = await Promise.all([pool.acquire(ctx), pool.acquire(ctx), pool.acquire(ctx)]);
  const pids = await Promise.all(sessions.map((session) => pidOf(ctx, session)));
  for (const session of sessions) pool.release(session);
  await database.execute(ctx, sql`select pg_terminate_backend(pid) from unnest(${pids}::int4[]) as pid`);
  await eventually(() => pool.stats.total === 0);
  const session = await pool.acquire(ctx);
  assert.ok(!pids.includes(await pidOf(ctx, session)));
  pool.release(session);
});

test("an end waits for sessions that are out, and refuses whoever comes", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 2);
  const session = await pool.acquire(ctx);
  const ended = pool.end(ctx);
  await assert.rejects(pool.acquire(ctx), (error) => hasCode(error, "unavailable"));
  await session.run(ctx, { text: "select 1" });
  pool.release(session);
  assert.equal(await ended, 0);
});

test("an end cuts what is still out after two seconds, and says how many", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 2);
  const session = await pool.acquire(ctx);
  const query = assert.rejects(session.run(ctx, { text: "select pg_sleep(60)" }), (error) =>
    hasCode(error, "unavailable"),
  );
  const startedAt = performance.now();
  assert.equal(await pool.end(ctx), 1);
  assert.ok(performance.now() - startedAt < 2500);
  await query;
});

test("an end without a session out does not wait for a server that does not answer", async (t) => {
  const { ctx, pool } = poolOn(t, await silentServer(t), 2);
  const refused = assert.rejects(pool.acquire(ctx), (error) => hasCode(error, "unavailable"));
  const startedAt = performance.now();
  assert.equal(await pool.end(ctx), 0);
  assert.ok(performance.now() - startedAt < 1000);
  await refused;
});

test("an end under a context that is done cuts at once, also a connection that is being made", async (t) => {
  const { ctx, pool } = poolOn(t, await silentServer(t), 2);
  const refused = assert.rejects(pool.acquire(ctx));
  await withTimeout(ctx, 10, (inner) => pool.end(inner));
  await refused;
  await eventually(() => pool.stats.total === 0, 500);
});

test("thousands who gave up waiting cost the next release nothing but time", async (t) => {
  const { url } = await postgresSandbox(t);
  const { ctx, pool } = poolOn(t, url, 1);
  const held = await pool.acquire(ctx);
  for (let wave = 0; wave < 400; wave++) {
    const hurried = Array.from({ length: 9 }, () => withTimeout(ctx, 0.1, (ctx) => pool.acquire(ctx)));
    const outcomes = await Promise.allSettled(hurried);
    assert.ok(outcomes.every(({ status }) => status === "rejected"));
  }
  pool.release(held);
  const next = await pool.acquire(ctx);
  await pidOf(ctx, next);
  pool.release(next);
});
