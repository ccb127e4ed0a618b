import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, chop, cuts, type Frames, readAll } from "./chop.harness.ts";
import { readUntilInvalid, throwsInvalid } from "./expect-invalid.harness.ts";
import { type RespCommand, RespCommandFrames, type RespReply, RespReplyFrames } from "./resp-frames.ts";
import { encodeCommand, encodeResp, type RespPair, type RespValue, respText } from "./resp-value.ts";

function replies(text: string) {
  return readAll(new RespReplyFrames(), [Buffer.from(text)]).map(({ value }) => value);
}

function commands(...bytes: readonly (string | Buffer)[]) {
  return readAll(new RespCommandFrames(), [Buffer.concat(bytes.map((part) => Buffer.from(part)))]);
}

const bulk = (text: string): RespValue => ({ kind: "bulk", value: Buffer.from(text) });

// The examples of the specification, https://redis.io/docs/latest/develop/reference/protocol-spec.
const EXAMPLES: readonly (readonly [string, RespValue])[] = [
  ["+OK\r\n", { kind: "string", value: "OK" }],
  ["-ERR unknown command\r\n", { kind: "error", value: "ERR unknown command" }],
  [":-1000\r\n", { kind: "integer", value: -1000n }],
  [":+9223372036854775807\r\n", { kind: "integer", value: 2n ** 63n - 1n }],
  ["$5\r\nhe\r\no\r\n", bulk("he\r\no")],
  ["$0\r\n\r\n", bulk("")],
  ["$-1\r\n", { kind: "bulk", value: null }],
  ["*-1\r\n", { kind: "array", value: null }],
  ["*0\r\n", { kind: "array", value: [] }],
  [
    "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
    { kind: "array", value: [bulk("a"), { kind: "array", value: [{ kind: "integer", value: 1n }] }] },
  ],
  ["_\r\n", { kind: "null", value: null }],
  ["#t\r\n", { kind: "boolean", value: true }],
  [",1.23\r\n", { kind: "double", value: 1.23 }],
  [",10\r\n", { kind: "double", value: 10 }],
  [",-inf\r\n", { kind: "double", value: Number.NEGATIVE_INFINITY }],
  [",nan\r\n", { kind: "double", value: Number.NaN }],
  [
    "(3492890328409238509324850943850943825024385\r\n",
    { kind: "big_number", value: 3492890328409238509324850943850943825024385n },
  ],
  ["!21\r\nSYNTAX invalid syntax\r\n", { kind: "bulk_error", value: Buffer.from("SYNTAX invalid syntax") }],
  ["=15\r\ntxt:Some string\r\n", { kind: "verbatim", format: "txt", value: Buffer.from("Some string") }],
  [
    "%1\r\n+first\r\n:1\r\n",
    {
      kind: "map",
      value: [
        [
          { kind: "string", value: "first" },
          { kind: "integer", value: 1n },
        ],
      ],
    },
  ],
  ["~1\r\n#f\r\n", { kind: "set", value: [{ kind: "boolean", value: false }] }],
  [
    ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    { kind: "push", value: [bulk("invalidate"), { kind: "array", value: [bulk("k")] }] },
  ],
  [
    "|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n",
    {
      kind: "attributed",
      attributes: [
        [
          { kind: "string", value: "ttl" },
          { kind: "integer", value: 3600n },
        ],
      ],
      value: bulk("v"),
    },
  ],
];

for (const [text, value] of EXAMPLES) {
  test(`${JSON.stringify(text)} is read`, () => assert.deepEqual(replies(text), [value]));
}

test("values that follow each other are read one by one, with their bytes", () => {
  const all = Buffer.from(EXAMPLES.map(([text]) => text).join(""));
  const read = readAll(new RespReplyFrames(), [all]);
  assert.deepEqual(
    read.map(({ bytes }) => String(bytes)),
    EXAMPLES.map(([text]) => text),
  );
});

for (const text of [
  "hello\r\n",
  "$?\r\n;4\r\nHell\r\n;0\r\n",
  "*?\r\n:1\r\n.\r\n",
  "$1\r\nab\r\n",
  "$-2\r\n",
  "$01\r\n",
  "%-1\r\n",
  "*9999999999\r\n",
  "*99999999999\r\n",
  ":1.5\r\n",
  ":\r\n",
  ":9223372036854775808\r\n",
  "(0x10\r\n",
  ",1e\r\n",
  ",\r\n",
  "#yes\r\n",
  "_x\r\n",
  "=3\r\ntxt\r\n",
  "=4\r\ntext\r\n",
  "+a\rb\r\n",
]) {
  test(`${JSON.stringify(text)} is refused`, () => throwsInvalid(() => replies(text)));
}

test("values inside each other are read to a depth, and refused beyond it", () => {
  const nested = (depth: number) => `${"*1\r\n".repeat(depth)}:1\r\n`;
  assert.equal(replies(nested(128)).length, 1);
  throwsInvalid(() => replies(nested(129)), /nested/);
  throwsInvalid(() => replies(nested(100_000)), /nested/);
});

test("a value up to the bound is read, and a longer one is refused as soon as that is known", () => {
  const read = (text: string) => readAll(new RespReplyFrames({ maxBytes: 100 }), [Buffer.from(text)]);
  assert.equal(read(`$93\r\n${"x".repeat(93)}\r\n+${"x".repeat(97)}\r\n`).length, 2);
  for (const text of ["$94\r\n", `+${"x".repeat(100)}`, "*32\r\n"]) assert.equal(read(text.slice(0, 3)).length, 0);
  for (const text of ["$95\r\n", `+${"x".repeat(100)}`, "*33\r\n", "%17\r\n", "|16\r\n"]) {
    throwsInvalid(() => read(text), /too long/);
  }
});

test("a long array that arrives a little at a time is read in time", () => {
  const frames = new RespReplyFrames();
  const items = Buffer.from(":1\r\n".repeat(300_000));
  frames.receive(Buffer.from("*300000\r\n"));
  const startedAt = performance.now();
  for (let at = 0; at < items.length; at += 1000) {
    assert.equal(frames.next(), undefined);
    frames.receive(items.subarray(at, at + 1000));
  }
  assert.ok(frames.next());
  assert.ok(performance.now() - startedAt < 8000);
});

test("a command has its name in capitals and its arguments as they are", () => {
  const [set, ping] = commands(encodeCommand("set", "k", Buffer.from([0, 255])), encodeCommand("PING"));
  assert.deepEqual([set?.name, set?.args], ["SET", [Buffer.from("k"), Buffer.from([0, 255])]]);
  assert.deepEqual([ping?.name, ping?.args, String(ping?.bytes)], ["PING", [], "*1\r\n$4\r\nPING\r\n"]);
});

for (const text of [
  "PING\r\n",
  "+PING\r\n",
  "*0\r\n",
  "*-1\r\n",
  "*1\r\n+PING\r\n",
  "*1\r\n$-1\r\n",
  "*1\r\n*1\r\n$1\r\na\r\n",
]) {
  test(`${JSON.stringify(text)} is no command`, () => throwsInvalid(() => commands(text)));
}

test("a string of several lines can't be encoded", () => {
  throwsInvalid(() => encodeResp({ kind: "string", value: "a\r\nb" }));
  throwsInvalid(() => encodeResp({ kind: "error", value: "a\nb" }));
});

test("what a value says as text is known for those that are text", () => {
  const texts = EXAMPLES.map(([, value]) => respText(value));
  assert.deepEqual(
    texts.filter((text) => text !== undefined),
    ["OK", "ERR unknown command", "he\r\no", "", "SYNTAX invalid syntax", "Some string", "v"],
  );
});

const buffer = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes));
const line = fc.string({ maxLength: 20, unit: "binary" }).filter((text) => !/[\r\n]/.test(text));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const record = <Model>(model: { [Key in keyof Model]: fc.Arbitrary<Model[Key]> }) =>
  fc.record(model, { noNullPrototype: true });
const { value: anyValue } = fc.letrec<{ value: RespValue; pairs: RespPair[]; items: RespValue[] }>((tie) => ({
  items: fc.array(tie("value"), { maxLength: 4 }),
  pairs: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }),
  value: fc.oneof(
    { maxDepth: 4 },
    record({ kind: fc.constantFrom("string", "error"), value: line }),
    record({ kind: fc.constant("integer"), value: int64 }),
    record({ kind: fc.constant("big_number"), value: fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }) }),
    record({ kind: fc.constant("double"), value: fc.double() }),
    record({ kind: fc.constant("boolean"), value: fc.boolean() }),
    record({ kind: fc.constant("null"), value: fc.constant(null) }),
    record({ kind: fc.constant("bulk"), value: fc.option(buffer) }),
    record({ kind: fc.constant("bulk_error"), value: buffer }),
    record({ kind: fc.constant("verbatim"), format: fc.constantFrom("txt", "mkd"), value: buffer }),
    record({ kind: fc.constant("array"), value: fc.option(tie("items")) }),
    record({ kind: fc.constantFrom("set", "push"), value: tie("items") }),
    record({ kind: fc.constant("map"), value: tie("pairs") }),
    record({ kind: fc.constant("attributed"), attributes: tie("pairs"), value: tie("value") }),
  ),
}));

test("what was encoded is read as it was, however its bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(anyValue, { maxLength: 5 }), cuts, (values, lengths) => {
      const sent = values.map(encodeResp);
      const read = readAll(new RespReplyFrames(), chop(Buffer.concat(sent), lengths));
      assert.deepEqual(
        read.map(({ value }) => value),
        values,
      );
      assert.deepEqual(
        read.map(({ bytes }) => bytes),
        sent,
      );
    }),
  );
});

const anyCommand = fc.tuple(fc.constantFrom("GET", "SET", "EVAL"), fc.array(buffer, { maxLength: 4 }));

test("commands that were encoded are read as they were, however their bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 5 }), cuts, (sent, lengths) => {
      const bytes = sent.map(([name, args]) => encodeCommand(name, ...args));
      assert.deepEqual(
        readAll(new RespCommandFrames(), chop(Buffer.concat(bytes), lengths)),
        sent.map(([name, args], n) => ({ name, args, bytes: bytes[n] })),
      );
    }),
  );
});

const noise = fc.oneof(
  buffer,
  fc
    .array(fc.constantFrom("*", "$", "%", "|", ":", ",", "1", "2", "-1", "a", "\r", "\r\n"))
    .map((parts) => Buffer.from(parts.join(""))),
);

test("garbage is refused as invalid, at the same place however it is cut, and what was before it is read", () => {
  const assertSame = (frames: () => Frames<RespReply | RespCommand>, bytes: Buffer, lengths: readonly number[]) => {
    const whole = readUntilInvalid(frames(), [bytes]);
    assert.deepEqual(readUntilInvalid(frames(), chop(bytes, lengths)), whole);
    assert.deepEqual(bytesOf(whole.read), bytes.subarray(0, bytesOf(whole.read).length));
  };
  fc.assert(
    fc.property(fc.array(anyValue, { maxLength: 3 }), noise, cuts, (values, garbage, lengths) => {
      const bytes = Buffer.concat([...values.map(encodeResp), garbage]);
      assertSame(() => new RespReplyFrames({ maxBytes: 300 }), bytes, lengths);
      assertSame(
        () => new RespCommandFrames({ maxBytes: 300 }),
        Buffer.concat([encodeCommand("PING"), garbage]),
        lengths,
      );
    }),
    { numRuns: 300 },
  );
});
