import assert from "node:assert/strict";
import { test } from "node:test";
import * as wire from "./postgres-bytes.harness.ts";
import { PostgresConversation } from "./postgres-conversation.ts";

const INSERT = "insert into t values ($1)";
const UPDATE = "update t set a = $1";

/** A connection that is ready, with what each side says and what it is about: `Execute insert …`. */
function connected() {
  const conversation = new PostgresConversation(1);
  const said = (from: "client" | "server", ...bytes: readonly Buffer[]) => {
    conversation.receive(from, Buffer.concat(bytes));
    const about: string[] = [];
    for (let seen = conversation.next(from); seen !== undefined; seen = conversation.next(from)) {
      conversation.passed(seen);
      about.push([seen.message.name, ...(seen.sql === undefined ? [] : [seen.sql])].join(" "));
    }
    return about;
  };
  said("client", wire.startup());
  said("server", wire.typed("R", Buffer.alloc(4)), wire.ready());
  return {
    client: (...bytes: readonly Buffer[]) => said("client", ...bytes),
    server: (...bytes: readonly Buffer[]) => said("server", ...bytes),
  };
}

test("all that answers a simple query is about its text", () => {
  const { client, server } = connected();
  assert.deepEqual(client(wire.query("begin; commit")), ["Query begin; commit"]);
  assert.deepEqual(server(wire.complete("BEGIN"), wire.complete("COMMIT"), wire.ready()), [
    "CommandComplete begin; commit",
    "CommandComplete begin; commit",
    "ReadyForQuery begin; commit",
  ]);
});

test("a bound portal runs the text that was parsed under the statement's name, long before", () => {
  const { client, server } = connected();
  client(wire.parse("s1", INSERT), wire.parse("", UPDATE), wire.sync);
  server(wire.parseComplete, wire.parseComplete, wire.ready());
  assert.deepEqual(client(wire.bind("s1", [], "p1"), wire.bind(""), wire.execute(), wire.execute("p1"), wire.sync), [
    `Bind ${INSERT}`,
    `Bind ${UPDATE}`,
    `Execute ${UPDATE}`,
    `Execute ${INSERT}`,
    "Sync",
  ]);
});

test("a name that was closed, parsed anew or never parsed is not about what it was", () => {
  const { client } = connected();
  client(wire.parse("s1", INSERT), wire.bind("s1"));
  assert.deepEqual(client(wire.close("S", "s1"), wire.bind("s1"), wire.execute()), [
    `Close ${INSERT}`,
    "Bind",
    "Execute",
  ]);
  assert.deepEqual(client(wire.parse("s1", UPDATE), wire.bind("s1"), wire.execute()), [
    `Parse ${UPDATE}`,
    `Bind ${UPDATE}`,
    `Execute ${UPDATE}`,
  ]);
  assert.deepEqual(client(wire.describe("S", "never")), ["Describe"]);
});

test("pipelined statements under one sync get their own replies", () => {
  const { client, server } = connected();
  client(wire.parse("", INSERT), wire.bind(""), wire.describe("P", ""), wire.execute());
  client(wire.parse("", UPDATE), wire.bind(""), wire.execute("", 1), wire.close("P", ""), wire.sync);
  const first = [wire.parseComplete, wire.bindComplete, wire.noData, wire.complete("INSERT 0 1")];
  const second = [wire.parseComplete, wire.bindComplete, wire.dataRow, wire.typed("s"), wire.closeComplete];
  assert.deepEqual(server(...first, ...second, wire.ready()), [
    `ParseComplete ${INSERT}`,
    `BindComplete ${INSERT}`,
    `NoData ${INSERT}`,
    `CommandComplete ${INSERT}`,
    `ParseComplete ${UPDATE}`,
    `BindComplete ${UPDATE}`,
    `DataRow ${UPDATE}`,
    `PortalSuspended ${UPDATE}`,
    `CloseComplete ${UPDATE}`,
    `ReadyForQuery ${UPDATE}`,
  ]);
});

test("an error under one sync takes the statements behind it with it, and none of those behind the sync", () => {
  const { client, server } = connected();
  client(wire.parse("s1", INSERT), wire.parse("s2", UPDATE), wire.sync);
  server(wire.parseComplete, wire.parseComplete, wire.ready());
  client(wire.bind("s1"), wire.execute(), wire.bind("s2"), wire.execute(), wire.query("lost"), wire.sync);
  client(wire.bind("s2"), wire.execute(), wire.sync);
  const failed = [wire.bindComplete, wire.failure({ C: "23505" }), wire.ready()];
  assert.deepEqual(server(...failed, wire.bindComplete, wire.complete("UPDATE 1"), wire.ready()), [
    `BindComplete ${INSERT}`,
    `ErrorResponse ${INSERT}`,
    `ReadyForQuery ${INSERT}`,
    `BindComplete ${UPDATE}`,
    `CommandComplete ${UPDATE}`,
    `ReadyForQuery ${UPDATE}`,
  ]);
});

test("what a client sends after an error that it has not heard of is passed over up to its sync", () => {
  const { client, server } = connected();
  client(wire.parse("", INSERT));
  assert.deepEqual(server(wire.failure({ C: "42601" })), [`ErrorResponse ${INSERT}`]);
  client(wire.bind(""), wire.execute(), wire.sync, wire.query("select 1"));
  assert.deepEqual(server(wire.ready(), wire.complete("SELECT 1"), wire.ready()), [
    `ReadyForQuery ${INSERT}`,
    "CommandComplete select 1",
    "ReadyForQuery select 1",
  ]);
});

test("an error in a sync or in a simple query takes nothing with it", () => {
  const { client, server } = connected();
  client(wire.parse("", INSERT), wire.bind(""), wire.execute(), wire.sync, wire.query("a"), wire.query("b"));
  server(wire.parseComplete, wire.bindComplete, wire.complete("INSERT 0 1"));
  const deferred = [wire.failure({ C: "23503" }), wire.ready()];
  assert.deepEqual(server(...deferred, wire.failure({ C: "42601" }), wire.ready(), wire.complete("B"), wire.ready()), [
    `ErrorResponse ${INSERT}`,
    `ReadyForQuery ${INSERT}`,
    "ErrorResponse a",
    "ReadyForQuery a",
    "CommandComplete b",
    "ReadyForQuery b",
  ]);
});

test("what nobody asked for is about nothing", () => {
  const { client, server } = connected();
  assert.deepEqual(server(wire.failure({ C: "57P01" })), ["ErrorResponse"]);
  client(wire.query("listen x"));
  const unasked = [wire.parameterStatus("TimeZone", "UTC"), wire.typed("A", Buffer.alloc(6))];
  assert.deepEqual(server(...unasked), ["ParameterStatus", "NotificationResponse"]);
});

test("a sync that the server passes over while rows are copied in is not waited for", () => {
  const { client, server } = connected();
  client(wire.parse("", "copy t from stdin"), wire.bind(""), wire.execute(), wire.sync);
  server(wire.parseComplete, wire.bindComplete, wire.typed("G", Buffer.alloc(3)));
  client(wire.typed("d", Buffer.from("1\n")), wire.sync, wire.typed("c"), wire.sync, wire.query("select 1"));
  assert.deepEqual(server(wire.complete("COPY 1"), wire.ready(), wire.complete("SELECT 1")), [
    "CommandComplete copy t from stdin",
    "ReadyForQuery copy t from stdin",
    "CommandComplete select 1",
  ]);
});

test("a statement that never reached the server is not waited for", () => {
  const conversation = new PostgresConversation(1);
  conversation.receive("client", Buffer.concat([wire.startup(), wire.query("lost"), wire.query("sent")]));
  const [startup, , sent] = [conversation.next("client"), conversation.next("client"), conversation.next("client")];
  assert.ok(startup && sent);
  conversation.passed(startup);
  conversation.passed(sent);
  conversation.receive("server", Buffer.concat([wire.ready(), wire.complete("SENT")]));
  conversation.next("server");
  assert.equal(conversation.next("server")?.sql, "sent");
});
