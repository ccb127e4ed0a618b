import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { prettyLine } from "./pretty-line.ts";

const plain = (line: object) => prettyLine(JSON.stringify(line), { colour: false });
const head = {
  level: "info",
  time: new Date(2026, 0, 2, 3, 4, 5, 67).toISOString(),
  msg: "user created",
  service: "users",
  version: "1",
};

test("a line shows its time of day, level, message and fields, without what is the same on every line", () => {
  assert.equal(
    plain({ ...head, user_id: "u1", count: 3, ok: true }),
    "03:04:05.067 INFO  user created  user_id=u1  count=3  ok=true",
  );
});

test("values that are more than a word are quoted, nested ones are JSON", () => {
  assert.match(
    plain({ ...head, name: "Ann Lee", empty: "", list: [1, { a: 2 }] }),
    /name="Ann Lee" {2}empty="" {2}list=\[1,\{"a":2\}\]$/,
  );
});

test("an error shows its stack, code, fields and causes on the lines below", () => {
  const error = {
    name: "AppError",
    message: "the database is away",
    code: "unavailable",
    stack: "AppError: the database is away\n    at one\n    at two",
    fields: { attempts: 3 },
    cause: { name: "AggregateError", message: "", errors: [{ message: "refused", code: "ECONNREFUSED" }] },
  };
  assert.deepEqual(plain({ ...head, level: "error", error }).split("\n"), [
    "03:04:05.067 ERROR user created",
    "    AppError: the database is away  code=unavailable  attempts=3",
    "        at one",
    "        at two",
    "    caused by AggregateError: ",
    "    - Error: refused  code=ECONNREFUSED",
  ]);
});

test("levels are coloured when colour is wanted, and only then", () => {
  const line = JSON.stringify({ ...head, level: "warn", a: 1 });
  const yellow = "\u001b[33mWARN \u001b[39m user created  \u001b[36ma=\u001b[39m1";
  assert.ok(prettyLine(line, { colour: true }).endsWith(yellow));
  assert.ok(!prettyLine(line, { colour: false }).includes("\u001b"));
});

test("what is not a log line stays as it is", () => {
  for (const text of ["", "Server listening\n", "{not json", "[1]", '{"a":1}', "null\n"]) {
    assert.equal(prettyLine(text, { colour: true }), text);
  }
});

test("a newline at the end stays, and none is added", () => {
  assert.equal(prettyLine(`${JSON.stringify(head)}\n`, { colour: false }), "03:04:05.067 INFO  user created\n");
});

test("a line without a readable time or level is shown all the same", () => {
  assert.equal(plain({ level: 30, time: "soon", msg: 5 }), "soon 30    5");
});

test("no field can steer the terminal or forge a line", () => {
  const anything = fc.anything({ values: [fc.string({ unit: "binary" })] });
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.dictionary(fc.string({ unit: "binary" }), anything),
      (msg, fields) => {
        const shown = plain({ ...fields, error: undefined, msg, level: "info" });
        assert.doesNotMatch(shown, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      },
    ),
  );
});
