import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeContent, encodeMethod, FRAME_OVERHEAD_BYTES, HEARTBEAT, PROTOCOL_HEADER } from "./amqp-encoding.ts";
import { AmqpFrames } from "./amqp-frames.ts";
import type { AmqpMessage } from "./amqp-message.ts";
import { type AmqpMethodName, type ArgumentType, METHODS } from "./amqp-methods.ts";
import { decodeProperties, encodeProperties } from "./amqp-properties.ts";
import { type AmqpTable, type AmqpValue, readTable, writeTable } from "./amqp-value.ts";
import { ByteReader } from "./byte-reader.ts";
import { chop, cuts, readAll } from "./chop.harness.ts";
import { readUntilInvalid, throwsInvalid } from "./expect-invalid.harness.ts";

function read(...frames: readonly Buffer[]): AmqpMessage[] {
  return readAll(new AmqpFrames("server"), [Buffer.concat(frames)]);
}

const text = fc.string({ unit: "grapheme", maxLength: 8 });
const values = fc.letrec<{ value: AmqpValue; table: AmqpTable }>((tie) => ({
  table: fc.dictionary(text, tie("value"), { maxKeys: 5, noNullPrototype: true }),
  value: fc.oneof(
    { depthSize: "small" },
    text,
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noInteger: true, noNaN: true }),
    fc.constant(null),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n }),
    fc.integer({ min: 0, max: 2 ** 32 }).map((seconds) => new Date(seconds * 1000)),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("table"),
  ),
}));

const ARGUMENTS: { readonly [T in ArgumentType]: fc.Arbitrary<unknown> } = {
  octet: fc.nat({ max: 255 }),
  short: fc.nat({ max: 65_535 }),
  long: fc.nat({ max: 2 ** 31 - 1 }),
  longlong: fc.maxSafeNat(),
  bit: fc.boolean(),
  shortstr: text,
  longstr: text,
  table: values.table,
};

/** Any method with any arguments. */
const methods = fc.constantFrom(...(Object.keys(METHODS) as AmqpMethodName[])).chain((name) => {
  const args = Object.entries(METHODS[name].arguments) as [string, ArgumentType][];
  const record = fc.record(Object.fromEntries(args.map(([argument, type]) => [argument, ARGUMENTS[type]])), {
    noNullPrototype: true,
  });
  return fc.tuple(fc.constant(name), fc.nat({ max: 65_535 }), record);
});

test("each method is read as it was written, wherever its bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(methods, { maxLength: 6 }), cuts, (sent, lengths) => {
      const bytes = Buffer.concat(sent.map(([name, channel, args]) => encodeMethod(channel, name, args as never)));
      const messages = readAll(new AmqpFrames("server"), chop(bytes, lengths));
      assert.deepEqual(
        messages.map((message) => [message.name, message.channel, "args" in message && { ...message.args }]),
        sent.map(([name, channel, args]) => [name, channel, { ...args }]),
      );
      assert.deepEqual(Buffer.concat(messages.map((message) => message.bytes)), bytes);
    }),
  );
});

test("a declaration is, byte for byte, what the specification makes of it", () => {
  const args = {
    reserved: 0,
    queue: "q",
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: true,
    noWait: false,
  };
  const bytes = encodeMethod(1, "queue.declare", { ...args, arguments: { "x-message-ttl": 500 } });
  const table = "00000013 0d 782d6d6573736167652d74746c 49 000001f4";
  const payload = `0032000a 0000 01 71 0a ${table}`.replaceAll(" ", "");
  assert.equal(bytes.toString("hex"), `010001${(payload.length / 2).toString(16).padStart(8, "0")}${payload}ce`);
});

test("a message is a header and its body in frames of the size that was agreed", () => {
  const body = Buffer.from("0123456789");
  const properties = encodeProperties({ messageId: "m" });
  const frames = read(encodeContent(3, properties, body, FRAME_OVERHEAD_BYTES + 4), HEARTBEAT);
  const [header, ...rest] = frames;
  assert.deepEqual(
    header?.name === "content-header" && [header.bodySize, header.channel, decodeProperties(header.properties)],
    [10, 3, { messageId: "m" }],
  );
  assert.deepEqual(
    rest.map((frame) => (frame.name === "body" ? frame.payload.toString() : frame.name)),
    ["0123", "4567", "89", "heartbeat"],
  );
  assert.equal(read(encodeContent(3, properties, Buffer.alloc(0), 4096)).length, 1);
});

test("properties are read as they were written", () => {
  const any = fc.record(
    {
      contentType: text,
      headers: values.table,
      deliveryMode: fc.constantFrom(1, 2),
      priority: fc.nat({ max: 9 }),
      correlationId: text,
      expiration: text,
      messageId: text,
      timestamp: fc.nat(),
      type: text,
      appId: text,
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(
    fc.property(any, (properties) => assert.deepEqual(decodeProperties(encodeProperties(properties)), properties)),
  );
});

test("values of all types that others send are read", () => {
  const fields = Buffer.concat([
    ...[Buffer.from("\u0001bb"), Buffer.from([0xff])],
    ...[Buffer.from("\u0001BB"), Buffer.from([0xff])],
    ...[Buffer.from("\u0001ss"), Buffer.from([0xff, 0xff])],
    ...[Buffer.from("\u0001uu"), Buffer.from([0xff, 0xff])],
    ...[Buffer.from("\u0001ii"), Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ...[Buffer.from("\u0001ff"), Buffer.from([0x3f, 0x80, 0, 0])],
    ...[Buffer.from("\u0001DD"), Buffer.from([2, 0, 0, 1, 0x3a])],
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(fields.length);
  const table = readTable(new ByteReader(Buffer.concat([length, fields])));
  assert.deepEqual(table, { b: -1, B: 255, s: -1, u: 65_535, i: 2 ** 32 - 1, f: 1, D: 3.14 });
});

test("a name of a prototype is a name", () => {
  const table = Object.fromEntries([["__proto__", 1]]);
  assert.deepEqual(Object.keys(readTable(new ByteReader(writeTable(table)))), ["__proto__"]);
});

test("a client begins with the protocol's header, and with no other", () => {
  assert.deepEqual(
    readAll(new AmqpFrames("client"), [PROTOCOL_HEADER, HEARTBEAT]).map(({ name }) => name),
    ["protocol-header", "heartbeat"],
  );
  throwsInvalid(() => readAll(new AmqpFrames("client"), [Buffer.from("GET / HTTP/1.1\r\n")]), /AMQP 0-9-1/);
  throwsInvalid(() => readAll(new AmqpFrames("client"), [Buffer.from("AMQP\u0000\u0001\u0000\u0000")]), /AMQP 0-9-1/);
});

test("what is no frame is refused", () => {
  const damaged = (at: number, byte: number) => {
    const bytes = Buffer.from(encodeMethod(1, "queue.purge", { reserved: 0, queue: "q", noWait: false }));
    bytes[at < 0 ? bytes.length + at : at] = byte;
    return bytes;
  };
  throwsInvalid(() => read(damaged(0, 9)), /type/);
  throwsInvalid(() => read(damaged(-1, 0)), /end/);
  throwsInvalid(() => read(damaged(8, 99)), /method/);
  throwsInvalid(() => read(damaged(13, 200)), /shorter/);
  const long = Buffer.from([1, 0, 1, 0x7f, 0xff, 0xff, 0xff]);
  throwsInvalid(() => readAll(new AmqpFrames("server", { maxBytes: 1000 }), [long]), /too long/);
});

test("a table that nests without end is refused", () => {
  const nest = (depth: number): AmqpTable => (depth === 0 ? {} : { a: nest(depth - 1) });
  throwsInvalid(() => readTable(new ByteReader(writeTable(nest(100)))), /nested/);
});

test("noise is refused or waits for more, and never more than that", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), cuts, (noise, lengths) => {
      readUntilInvalid(new AmqpFrames("server", { maxBytes: 4096 }), chop(Buffer.from(noise), lengths));
    }),
  );
});
