import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, chop, cuts, type Frames, readAll } from "./chop.harness.ts";
import { readUntilInvalid, throwsInvalid } from "./expect-invalid.harness.ts";
import { PostgresBackendFrames } from "./postgres-backend-frames.ts";
import * as wire from "./postgres-bytes.harness.ts";
import { PostgresFrontendFrames } from "./postgres-frontend-frames.ts";
import type { PostgresBackendMessage, PostgresFrontendMessage } from "./postgres-message.ts";

type PostgresMessage = PostgresBackendMessage | PostgresFrontendMessage;

const KEY = Buffer.from([1, 2, 3, 4]);

/** What these bytes are to a server that reads them from the connection's start. */
function frontend(...bytes: readonly Buffer[]) {
  return readAll(new PostgresFrontendFrames(), [Buffer.concat(bytes)]);
}

function backend(...bytes: readonly Buffer[]) {
  return readAll(new PostgresBackendFrames(), [Buffer.concat(bytes)]);
}

/** The messages without what they have in common. */
function fields(messages: readonly { readonly type: string; readonly bytes: Buffer }[]) {
  return messages.map(({ type: _type, bytes: _bytes, ...rest }) => rest);
}

test("a session's messages have their names, their letters and their fields", () => {
  const bytes = [
    wire.startup({ user: "ada", database: "app" }),
    wire.query("select 'ä'"),
    wire.parse("s1", "insert into t values ($1)"),
    wire.bind("s1", [Buffer.from("x"), null, Buffer.alloc(0)], "p1"),
    wire.describe("P", "p1"),
    wire.execute("p1", 10),
    wire.close("S", "s1"),
    wire.sync,
    wire.typed("X"),
  ];
  const messages = frontend(...bytes);
  assert.deepEqual(
    messages.map((message) => message.bytes),
    bytes,
  );
  assert.equal(messages.map(({ type }) => type).join(" "), " Q P B D E C S X");
  assert.deepEqual(fields(messages), [
    { name: "StartupMessage", parameters: { user: "ada", database: "app" } },
    { name: "Query", sql: "select 'ä'" },
    { name: "Parse", statement: "s1", sql: "insert into t values ($1)" },
    { name: "Bind", portal: "p1", statement: "s1", values: [Buffer.from("x"), null, Buffer.alloc(0)] },
    { name: "Describe", target: "portal", of: "p1" },
    { name: "Execute", portal: "p1", maxRows: 10 },
    { name: "Close", target: "statement", of: "s1" },
    { name: "Sync" },
    { name: "Terminate" },
  ]);
});

test("a client may ask for encryption, once or twice, before it starts", () => {
  const messages = frontend(wire.gssencRequest, wire.sslRequest, wire.startup());
  assert.deepEqual(
    messages.map(({ name }) => name),
    ["GSSENCRequest", "SSLRequest", "StartupMessage"],
  );
});

test("a cancel request names a connection, and is all that its own is for", () => {
  const request = { name: "CancelRequest", processId: 4711, secretKey: KEY };
  assert.deepEqual(fields(frontend(wire.cancel(4711, KEY))), [request]);
  throwsInvalid(() => frontend(wire.cancel(4711, KEY), wire.sync), /cancel/);
});

test("a server's messages have their names and their fields", () => {
  const messages = backend(
    wire.typed("R", Buffer.alloc(4)),
    wire.keyData(4711, KEY),
    wire.ready("T"),
    wire.complete("INSERT 0 1"),
    wire.failure({ S: "ERROR", C: "23505", M: "duplicate" }),
    wire.typed("N", Buffer.from("Mtake care\0\0")),
  );
  assert.deepEqual(fields(messages), [
    { name: "Authentication" },
    { name: "BackendKeyData", processId: 4711, secretKey: KEY },
    { name: "ReadyForQuery", status: "T" },
    { name: "CommandComplete", tag: "INSERT 0 1" },
    { name: "ErrorResponse", fields: { S: "ERROR", C: "23505", M: "duplicate" } },
    { name: "NoticeResponse", fields: { M: "take care" } },
  ]);
});

test("the answer to a request for encryption is one bare byte, and none other is", () => {
  const frames = new PostgresBackendFrames();
  frames.expectEncryptionReply();
  frames.expectEncryptionReply();
  const messages = readAll(frames, [Buffer.concat([Buffer.from("NN"), wire.parameterStatus("a", "b"), wire.ready()])]);
  assert.deepEqual(
    messages.map(({ name }) => name),
    ["EncryptionReply", "EncryptionReply", "ParameterStatus", "ReadyForQuery"],
  );
});

test("a server may refuse a request for encryption with an error", () => {
  const frames = new PostgresBackendFrames();
  frames.expectEncryptionReply();
  assert.equal(readAll(frames, [wire.failure({ C: "53300" })])[0]?.name, "ErrorResponse");
});

test("nothing can be read after encryption was accepted", () => {
  const frames = new PostgresBackendFrames();
  frames.expectEncryptionReply();
  assert.deepEqual(fields(readAll(frames, [Buffer.from("S")])), [{ name: "EncryptionReply", isAccepted: true }]);
  throwsInvalid(() => readAll(frames, [Buffer.from([22, 3, 1])]), /encrypted/);
});

test("a message up to the bound is read, and a longer one is refused as soon as its length is known", () => {
  const text = wire.query("x".repeat(94));
  assert.equal(text.length, 100);
  const frames = (maxBytes: number) => new PostgresFrontendFrames({ maxBytes });
  assert.equal(readAll(frames(100), [wire.startup(), text]).length, 2);
  throwsInvalid(() => readAll(frames(99), [wire.startup(), text.subarray(0, 5)]), /too long/);
  throwsInvalid(
    () => readAll(new PostgresBackendFrames({ maxBytes: 99 }), [wire.complete("x".repeat(94))]),
    /too long/,
  );
  throwsInvalid(() => frontend(wire.startup({ user: "x".repeat(10_000) })), /too long/);
});

for (const [what, bytes] of Object.entries({
  "a start of another protocol": wire.typed("", Buffer.from([0, 2, 0, 0])),
  "a start without its code": wire.typed(""),
  "HTTP as a start": Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  "an unknown letter": Buffer.concat([wire.startup(), wire.typed("?")]),
  "a length below 4": Buffer.concat([wire.startup(), Buffer.from([0x51, 0, 0, 0, 3])]),
  "a text without an end": Buffer.concat([wire.startup(), wire.typed("Q", Buffer.from("select"))]),
  "more than a text": Buffer.concat([wire.startup(), wire.typed("Q", Buffer.from("select\0\0"))]),
  "a value past the message's end": Buffer.concat([
    wire.startup(),
    wire.typed("B", Buffer.from("\0\0\0\0\0\x01\0\0\0\x7fx")),
  ]),
  "neither statement nor portal": Buffer.concat([wire.startup(), wire.typed("D", Buffer.from("?\0"))]),
})) {
  test(`${what} is refused`, () => throwsInvalid(() => frontend(bytes)));
}

test("a status that means nothing is refused", () => {
  throwsInvalid(() => backend(wire.ready("?")));
});

const name = fc.string({ maxLength: 8 }).filter((text) => !text.includes("\0"));
const value = fc.option(fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)));
const requests = fc.array(
  fc.oneof(
    name.map(wire.query),
    fc.tuple(name, name).map(([statement, sql]) => wire.parse(statement, sql)),
    fc.tuple(name, fc.array(value, { maxLength: 5 }), name).map((args) => wire.bind(...args)),
    name.map((portal) => wire.execute(portal)),
    fc.constantFrom(wire.sync, wire.typed("H"), wire.typed("X")),
  ),
);
const replies = fc.array(
  fc.oneof(
    name.map(wire.complete),
    name.map((message) => wire.failure({ C: "XX000", M: message })),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => wire.typed("D", Buffer.from(bytes))),
    fc.constantFrom(wire.parseComplete, wire.bindComplete, wire.ready()),
  ),
);

test("however its bytes are cut, a client's messages are the same", () => {
  fc.assert(
    fc.property(requests, cuts, (sent, lengths) => {
      const messages = [wire.startup(), ...sent];
      const read = readAll(new PostgresFrontendFrames(), chop(Buffer.concat(messages), lengths));
      assert.deepEqual(read, frontend(...messages));
      assert.deepEqual(
        read.map(({ bytes }) => bytes),
        messages,
      );
    }),
  );
});

test("however its bytes are cut, a server's messages are the same", () => {
  fc.assert(
    fc.property(replies, cuts, (sent, lengths) => {
      const read = readAll(new PostgresBackendFrames(), chop(Buffer.concat(sent), lengths));
      assert.deepEqual(read, backend(...sent));
      assert.deepEqual(
        read.map(({ bytes }) => bytes),
        sent,
      );
    }),
  );
});

test("garbage is refused as invalid, at the same place however it is cut, and what was before it is read", () => {
  const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const assertSame = (frames: () => Frames<PostgresMessage>, bytes: Buffer, lengths: readonly number[]) => {
    const whole = readUntilInvalid(frames(), [bytes]);
    assert.deepEqual(readUntilInvalid(frames(), chop(bytes, lengths)), whole);
    assert.deepEqual(bytesOf(whole.read), bytes.subarray(0, bytesOf(whole.read).length));
  };
  fc.assert(
    fc.property(requests, replies, garbage, cuts, (sent, answered, noise, lengths) => {
      const bounds = { maxBytes: 500 };
      const start = () => new PostgresFrontendFrames(bounds);
      assertSame(start, Buffer.concat([wire.startup(), ...sent, noise]), lengths);
      assertSame(start, noise, lengths);
      assertSame(() => new PostgresBackendFrames(bounds), Buffer.concat([...answered, noise]), lengths);
    }),
  );
});
