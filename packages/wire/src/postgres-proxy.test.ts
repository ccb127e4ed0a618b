import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { eventually } from "parapet/testing";
import pg from "pg";
import * as wire from "./postgres-bytes.harness.ts";
import { cancelRequest, commit, committed, failureOf, replyTo, statement } from "./postgres-matches.ts";
import { createPostgresProxy } from "./postgres-proxy.ts";
import { dial } from "./tcp-ends.harness.ts";

const DATABASE_URL = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";

async function openProxy(t: TestContext) {
  const proxy = await createPostgresProxy(DATABASE_URL);
  t.after(() => proxy.close());
  return proxy;
}

async function connect(t: TestContext, url: string, options: pg.ClientConfig & { pipeline?: boolean } = {}) {
  const client = new pg.Client({ connectionString: url, ...options });
  t.after(() => client.end());
  // A test that cuts the connection looks at what fails because of it.
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** A client in a transaction that has an id, and what has become of it by the server's own account. */
async function openTransaction(t: TestContext, url: string) {
  const client = await connect(t, url);
  const observer = await connect(t, DATABASE_URL);
  await client.query("begin");
  const { rows } = await client.query("select pg_current_xact_id()::text as id");
  const status = async (): Promise<string> => {
    const { rows: found } = await observer.query("select pg_xact_status($1::xid8) as status", [rows[0].id]);
    return found[0].status;
  };
  return { client, status };
}

test("a client works through the proxy, in simple and prepared statements", async (t) => {
  const proxy = await openProxy(t);
  const ran: string[] = [];
  proxy.onMessage(({ from, message, sql = "" }) => {
    if (from === "server" && message.name === "CommandComplete") ran.push(`${message.tag}: ${sql}`);
  });
  const client = await connect(t, proxy.url);
  await client.query("select 1");
  for (const n of [2, 3]) {
    const { rows } = await client.query({ name: "plus", text: "select $1::int + 1 as n", values: [n] });
    assert.deepEqual(rows, [{ n: n + 1 }]);
  }
  assert.deepEqual(ran, [
    "SELECT 1: select 1",
    "SELECT 1: select $1::int + 1 as n",
    "SELECT 1: select $1::int + 1 as n",
  ]);
});

test("a COMMIT that is seen and not forwarded leaves the transaction open; its client's death rolls it back", async (t) => {
  const proxy = await openProxy(t);
  const { client, status } = await openTransaction(t, proxy.url);
  const trap = proxy.when(commit, "hold");
  const lost = assert.rejects(client.query("commit"));
  await trap.fired;
  assert.equal(await status(), "in progress");
  proxy.reset();
  await lost;
  trap.release();
  await eventually(async () => (await status()) === "aborted");
});

test("a process that is killed while its COMMIT is held has committed nothing, and its locks are gone", async (t) => {
  const proxy = await openProxy(t);
  const observer = await connect(t, DATABASE_URL);
  const name = `wire_${randomUUID()}`;
  const trap = proxy.when(commit, "hold");
  const child = startCommitting(t, proxy.url, name);
  await trap.fired;
  const open = "select backend_xid::text as id from pg_stat_activity where application_name = $1";
  const { rows } = await observer.query(open, [name]);
  child.kill("SIGKILL");
  await once(child, "exit");
  await eventually(async () => (await observer.query(open, [name])).rowCount === 0);
  const { rows: after } = await observer.query("select pg_xact_status($1::xid8) as status", [rows[0].id]);
  assert.equal(after[0].status, "aborted");
});

/** A process that begins a transaction, takes an id for it, and commits. */
function startCommitting(t: TestContext, url: string, name: string): ChildProcess {
  const script = `
    import pg from "pg";
    const client = new pg.Client({ connectionString: process.argv[1], application_name: process.argv[2] });
    await client.connect();
    await client.query("begin");
    await client.query("select pg_current_xact_id()");
    await client.query("commit");
  `;
  const args = ["--input-type=module", "--eval", script, url, name];
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: "ignore" });
  t.after(() => void child.kill("SIGKILL"));
  return child;
}

test("a COMMIT whose reply is withheld is done, and its client does not know", async (t) => {
  const proxy = await openProxy(t);
  const { client, status } = await openTransaction(t, proxy.url);
  const trap = proxy.when(replyTo(/^commit/i), "hold");
  let isAnswered = false;
  const answered = client.query("commit").then(() => {
    isAnswered = true;
  });
  await trap.fired;
  assert.deepEqual([await status(), isAnswered], ["committed", false]);
  trap.release();
  await answered;
});

test("a connection that is cut at the commit's reply fails for the client and is committed all the same", async (t) => {
  const proxy = await openProxy(t);
  const { client, status } = await openTransaction(t, proxy.url);
  const trap = proxy.when(committed, "cut");
  await assert.rejects(client.query("commit"), { code: "ECONNRESET" });
  await trap.fired;
  assert.equal(await status(), "committed");
});

test("a transaction that failed is not committed by its COMMIT", async (t) => {
  const proxy = await openProxy(t);
  const { client } = await openTransaction(t, proxy.url);
  const [failed, asked, done] = [proxy.when(failureOf(/1 \/ 0/)), proxy.when(commit), proxy.when(committed)];
  await assert.rejects(client.query("select 1 / 0"), { code: "22012" });
  const seen = await failed.fired;
  assert.ok(seen.message.name === "ErrorResponse");
  assert.equal(seen.message.fields.C, "22012");
  await client.query("commit");
  await asked.fired;
  await Promise.all([assert.rejects(done.fired, { code: "canceled" }), proxy.close()]);
});

test("the replies to BEGIN and to the first INSERT are caught as they go to the client", async (t) => {
  const proxy = await openProxy(t);
  const client = await connect(t, proxy.url);
  const [begun, inserted] = [proxy.when(replyTo(/^begin/i)), proxy.when(replyTo(/^insert into mine/i))];
  await client.query("create temporary table mine (a int)");
  await client.query("begin");
  assert.equal((await begun.fired).from, "server");
  await client.query("/* audit */ -- one\n insert into mine values ($1)", [1]);
  await client.query("insert into mine values (2), (3)");
  const { message } = await inserted.fired;
  assert.ok(message.name === "CommandComplete");
  assert.equal(message.tag, "INSERT 0 1");
});

test("what a prepared statement is given is seen in its Bind", async (t) => {
  const proxy = await openProxy(t);
  const client = await connect(t, proxy.url);
  const bound = proxy.when(({ message, sql }) => message.name === "Bind" && /as a/.test(sql ?? ""));
  await client.query("select $1::text as a, $2::text as b", ["ä", null]);
  const { message } = await bound.fired;
  assert.ok(message.name === "Bind");
  assert.deepEqual(message.values, [Buffer.from("ä"), null]);
});

test("a reply that is swallowed never reaches the client", async (t) => {
  const proxy = await openProxy(t);
  const client = await connect(t, proxy.url);
  const notices: (string | undefined)[] = [];
  client.on("notice", ({ message }) => notices.push(message));
  const trap = proxy.when(({ message }) => message.name === "NoticeResponse", "swallow");
  await client.query("do $$ begin raise notice 'one'; raise notice 'two'; end $$");
  assert.match((await trap.fired).sql ?? "", /raise notice/);
  assert.deepEqual(notices, ["two"]);
});

test("a reply that is delayed comes when it is due", async (t) => {
  const proxy = await openProxy(t);
  const client = await connect(t, proxy.url);
  proxy.when(replyTo(/select 1/), { delayMs: 50 });
  const startedAt = performance.now();
  await client.query("select 1");
  assert.ok(performance.now() - startedAt >= 45);
});

test("a cancel request can be held, and cancels when it is released", async (t) => {
  const proxy = await openProxy(t);
  const keyed = proxy.when(({ message }) => message.name === "BackendKeyData");
  const client = await connect(t, proxy.url);
  const { message: key } = await keyed.fired;
  assert.ok(key.name === "BackendKeyData");
  const observer = await connect(t, DATABASE_URL);
  const canceled = assert.rejects(client.query("select pg_sleep(60)"), { code: "57014" });
  // A cancel that comes before its statement has begun is for nothing.
  const isRunning = "select from pg_stat_activity where pid = $1 and state = 'active'";
  await eventually(async () => (await observer.query(isRunning, [key.processId])).rowCount === 1);
  const trap = proxy.when(cancelRequest, "hold");
  const canceller = await dial(t, proxy.url);
  canceller.socket.write(wire.cancel(key.processId, key.secretKey));
  const seen = await trap.fired;
  assert.equal(seen.connection, 2);
  trap.release();
  await canceled;
});

test("pipelined statements of a driver get their own replies, also when one of them fails", async (t) => {
  const proxy = await openProxy(t);
  const client = await connect(t, proxy.url, { pipeline: true });
  const answers: string[] = [];
  proxy.onMessage(({ from, message, sql }) => {
    if (from === "client" || sql === undefined) return;
    if (message.name === "CommandComplete" || message.name === "ErrorResponse") answers.push(`${message.name} ${sql}`);
  });
  const text = ["select 1", "select 1 / $1::int", "select $1::int + 3"];
  const run = (n: number, value?: number) =>
    client.query({ name: `s${n}`, text: text[n] ?? "", values: value === undefined ? [] : [value] });
  for (let round = 0; round < 2; round++) {
    const results = await Promise.allSettled([run(0), run(1, 0), run(2, 1)]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
  }
  const expected = [`CommandComplete ${text[0]}`, `ErrorResponse ${text[1]}`, `CommandComplete ${text[2]}`];
  assert.deepEqual(answers, [...expected, ...expected]);
});

test("several statements under one sync get their own replies, and an error takes those behind it with it", async (t) => {
  const proxy = await openProxy(t);
  const answers: string[] = [];
  proxy.onMessage(({ from, message, sql }) => {
    if (from === "server" && sql !== undefined) answers.push(`${message.name} ${sql}`);
  });
  const client = await dial(t, proxy.url);
  const { username, pathname } = new URL(proxy.url);
  const [one, bad, lost] = ["select 1", "select 1 / (random() * 0)::int", "select 2"];
  const parsed = [one, bad, lost].map((sql, n) => wire.parse(`s${n}`, sql));
  const ran = [0, 1, 2].flatMap((n) => [wire.bind(`s${n}`), wire.execute()]);
  const start = wire.startup({ user: username, database: pathname.slice(1) });
  const behind = [wire.bind("s2"), wire.describe("P", ""), wire.execute(), wire.sync];
  const done = proxy.when(replyTo(/select 2/), "hold");
  client.socket.write(Buffer.concat([start, ...parsed, wire.sync, ...ran, wire.sync, ...behind]));
  await done.fired;
  assert.deepEqual(
    answers.filter((answer) => !answer.startsWith("Parse")),
    [
      `ReadyForQuery ${lost}`,
      `BindComplete ${one}`,
      `DataRow ${one}`,
      `CommandComplete ${one}`,
      `BindComplete ${bad}`,
      `ErrorResponse ${bad}`,
      `ReadyForQuery ${bad}`,
      `BindComplete ${lost}`,
      `RowDescription ${lost}`,
      `DataRow ${lost}`,
      `CommandComplete ${lost}`,
    ],
  );
});

test("rows are copied in through the proxy, and what comes behind gets its own reply", async (t) => {
  const proxy = await openProxy(t);
  const answers: string[] = [];
  proxy.onMessage(({ message, sql }) => {
    if (message.name === "CommandComplete") answers.push(`${message.tag}: ${sql}`);
  });
  const copying = proxy.when(({ message }) => message.name === "CopyInResponse");
  const done = proxy.when(replyTo(/^select/));
  const client = await dial(t, proxy.url);
  const { username, pathname } = new URL(proxy.url);
  const copy = "copy mine from stdin";
  client.socket.write(wire.startup({ user: username, database: pathname.slice(1) }));
  client.socket.write(wire.query("create temporary table mine (a int)"));
  client.socket.write(Buffer.concat([wire.parse("", copy), wire.bind(""), wire.execute(), wire.sync]));
  await copying.fired;
  const rows = wire.typed("d", Buffer.from("1\n2\n"));
  client.socket.write(Buffer.concat([rows, wire.typed("c"), wire.sync, wire.query("select 1")]));
  await done.fired;
  assert.deepEqual(answers, [
    "CREATE TABLE: create temporary table mine (a int)",
    `COPY 2: ${copy}`,
    "SELECT 1: select 1",
  ]);
});

test("statements are counted by a listener", async (t) => {
  const proxy = await openProxy(t);
  const isSelect = statement(/^select/i);
  let selects = 0;
  proxy.onMessage((seen) => {
    if (isSelect(seen)) selects++;
  });
  const client = await connect(t, proxy.url);
  for (const sql of ["select 1", "show time zone", "SELECT 2"]) await client.query(sql);
  await client.query("select $1::int", [3]);
  assert.equal(selects, 3);
});
