import assert from "node:assert/strict";
import { createServer } from "node:net";
import test, { type TestContext } from "node:test";
import { hasCode } from "../errors/index.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { clientSettings } from "./connection.ts";
import { openSession } from "./open-session.ts";

const options = {
  service: "settings-test",
  statementTimeoutMs: 4321,
  lockTimeoutMs: 2000,
  transactionTimeoutMs: 30_000,
  limitMs: 6000,
  onCancel: () => {},
};

async function settingsOf(t: TestContext, url: string): Promise<ReadonlyMap<string, string>> {
  const ctx = testContext();
  const session = await openSession(ctx, url, options);
  t.after(() => session.close());
  const { rows } = await session.run(ctx, { text: "select name, setting from pg_settings" });
  return new Map((rows as { name: string; setting: string }[]).map(({ name, setting }) => [name, setting]));
}

test("a session has its limits from the start, and the formats that the column parsers need", async (t) => {
  const { url } = await postgresSandbox(t);
  const settings = await settingsOf(t, url);
  const expected = {
    application_name: "settings-test",
    client_encoding: "UTF8",
    DateStyle: "ISO, MDY",
    TimeZone: "UTC",
    statement_timeout: "4321",
    lock_timeout: "2000",
    idle_in_transaction_session_timeout: "10000",
    client_connection_check_interval: "1000",
    tcp_keepalives_idle: "10",
    tcp_user_timeout: "15000",
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(settings.get(name), value, name);
  // Servers before 17 don't know it.
  assert.ok([undefined, "30000"].includes(settings.get("transaction_timeout")));
});

test("what the url says itself goes before what we say", async (t) => {
  const { url } = await postgresSandbox(t);
  const theirs = new URL(url);
  theirs.searchParams.set("application_name", "theirs");
  theirs.searchParams.set("statement_timeout", "9999");
  theirs.searchParams.set("options", "-c lock_timeout=77 --idle-in-transaction-session-timeout=88 -c work_mem=1MB");
  const settings = await settingsOf(t, theirs.href);
  assert.equal(settings.get("application_name"), "theirs");
  assert.equal(settings.get("statement_timeout"), "9999");
  assert.equal(settings.get("lock_timeout"), "77");
  assert.equal(settings.get("idle_in_transaction_session_timeout"), "88");
  assert.equal(settings.get("work_mem"), "1024");
  assert.equal(settings.get("TimeZone"), "UTC");
});

test("what is not a url is invalid, and not shown", () => {
  const notUrl = "postgres://user:secret@host:port/db";
  assert.throws(
    () => clientSettings(notUrl, options),
    (error) => hasCode(error, "invalid") && !JSON.stringify([error, error.message, error.stack]).includes("secret"),
  );
});

const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};
const int16 = (value: number) => Buffer.from([value >> 8, value]);
const int32 = (value: number) => Buffer.from([value >> 24, value >> 16, value >> 8, value]);
const ready = message("Z", Buffer.from("I"));

function versionIs(version: string): Buffer {
  const column = [Buffer.from("version\0"), int32(0), int16(0), int32(23), int16(4), int32(-1), int16(0)];
  return Buffer.concat([
    message("1"),
    message("2"),
    message("T", int16(1), ...column),
    message("D", int16(1), int32(version.length), Buffer.from(version)),
    message("C", Buffer.from("SELECT 1\0")),
    ready,
  ]);
}

function refusal(sqlstate: string): Buffer {
  return Buffer.concat([message("E", Buffer.from(`SERROR\0C${sqlstate}\0Mno\0\0`)), ready]);
}

/** Speaks just enough of the protocol to let somebody in and to give these answers, one a statement. */
async function serverThatAnswers(t: TestContext, ...answers: readonly Buffer[]): Promise<string> {
  const login = Buffer.concat([message("R", int32(0)), message("K", int32(1), int32(2)), ready]);
  const server = createServer((socket) => {
    const replies = [login, ...answers];
    socket.on("error", () => {});
    socket.on("data", () => void socket.write(replies.shift() ?? Buffer.alloc(0)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `postgres://nobody@127.0.0.1:${address.port}/nothing`;
}

test("a server older than PostgreSQL 14 is refused, and its version said", async (t) => {
  const opened = openSession(testContext(), await serverThatAnswers(t, versionIs("130011")), options);
  await assert.rejects(opened, (error) => {
    return (
      hasCode(error, "unavailable") && /older than/.test(error.message) && error.fields.server_version_num === 130011
    );
  });
  const supported = await openSession(testContext(), await serverThatAnswers(t, versionIs("140000")), options);
  supported.destroy();
});

test("a server that can't look whether its client is still there is used without", async (t) => {
  const url = await serverThatAnswers(t, refusal("22023"), versionIs("180004"));
  const session = await openSession(testContext(), url, options);
  session.destroy();
});
