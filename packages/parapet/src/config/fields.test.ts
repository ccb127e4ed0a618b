import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { durationMs, type Field, flag, integer, list, oneOf, port, text, url } from "./index.ts";

const description = "for the tests";

function accepted<T>(field: Field<T>, texts: readonly string[]): unknown[] {
  return texts.map((value) => field.parse(value)?.value);
}

function assertRefused(field: Field<unknown>, texts: readonly string[]): void {
  for (const value of texts) assert.equal(field.parse(value), undefined, JSON.stringify(value));
}

test("an integer is written in plain digits", () => {
  const field = integer("N", { description });
  assert.deepEqual(accepted(field, ["0", "7", "-12", "9007199254740991"]), [0, 7, -12, 9007199254740991]);
  assertRefused(field, [
    "8080abc",
    "1e3",
    "0x10",
    "1.0",
    "+1",
    "007",
    "-0",
    "1_000",
    "1,000",
    "٣",
    "9007199254740992",
    "NaN",
    "-",
  ]);
  assert.equal(field.accepts, "a whole number");
});

test("an integer keeps within its bounds", () => {
  const field = integer("N", { min: 1, max: 3, description });
  assert.deepEqual(accepted(field, ["0", "1", "3", "4"]), [undefined, 1, 3, undefined]);
  assert.deepEqual(
    [{ min: 1, max: 3 }, { min: 1 }, { max: 3 }].map((range) => integer("N", { ...range, description }).accepts),
    ["a whole number from 1 to 3", "a whole number from 1 on", "a whole number up to 3"],
  );
});

test("every integer reads back as it was written", () => {
  const field = integer("N", { description });
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => assert.equal(field.parse(String(value))?.value, value)));
});

test("a port is 0 to 65535", () => {
  assert.deepEqual(accepted(port("P", { description }), ["0", "65535", "65536", "-1"]), [
    0,
    65_535,
    undefined,
    undefined,
  ]);
});

test("a duration fits a timer unless told otherwise", () => {
  const field = durationMs("D", { description });
  assert.deepEqual(accepted(field, ["0", "2147483647", "2147483648", "5s"]), [0, 2_147_483_647, undefined, undefined]);
  assert.deepEqual(accepted(durationMs("D", { min: 10, max: 20, description }), ["9", "10", "20", "21"]), [
    undefined,
    10,
    20,
    undefined,
  ]);
});

test("a text keeps within its lengths", () => {
  const field = text("T", { minLength: 2, maxLength: 3, description });
  assert.deepEqual(accepted(field, ["a", "ab", "abc", "abcd"]), [undefined, "ab", "abc", undefined]);
  assert.equal(field.accepts, "a text of 2 to 3 characters");
});

test("a secret text is long enough to be masked", () => {
  assertRefused(text("T", { secret: true, description }), ["12345"]);
  assert.deepEqual(accepted(text("T", { secret: true, description }), ["123456"]), ["123456"]);
});

test("a URL has one of the protocols and parses", () => {
  const field = url("U", { protocols: ["postgres:", "postgresql:"], description });
  const good = ["postgres://db", "postgresql://u:p%20w@db:5432/x?y=z", "postgres:///x?host=/run"];
  assert.deepEqual(accepted(field, good), good);
  assertRefused(field, [
    "db:5432",
    "localhost",
    "mysql://db",
    "postgres:db",
    "postgres://",
    "postgres://db:port",
    "postgres://d b",
    "postgres://d\nb",
  ]);
});

test("one of a set is spelled exactly so", () => {
  const field = oneOf("O", ["debug", "info"], { description });
  assert.deepEqual(accepted(field, ["info", "INFO", "inf"]), ["info", undefined, undefined]);
});

test("a list is separated by commas and has no empty items", () => {
  const field = list("L", { description });
  assert.deepEqual(accepted(field, ["a", "a,b", "a , b"]), [["a"], ["a", "b"], ["a", "b"]]);
  assertRefused(field, [",", "a,", "a,,b"]);
});

test("a flag is true, false, 1 or 0", () => {
  const field = flag("F", { description });
  assert.deepEqual(accepted(field, ["true", "1", "false", "0"]), [true, true, false, false]);
  assertRefused(field, ["yes", "TRUE", "on", "toString", "2"]);
});

test("white space around a value is refused by every kind of field", () => {
  const fields = [
    integer("A", { description }),
    text("B", { description }),
    url("C", { protocols: ["http:"], description }),
    oneOf("D", ["a"], { description }),
    list("E", { description }),
    flag("F", { description }),
  ];
  for (const field of fields) {
    for (const value of ["1", "a", "http://a", "true"]) assertRefused(field, [` ${value}`, `${value}\n`, `${value}\t`]);
  }
});

test("a default must be a value that the field takes", () => {
  assert.throws(() => integer("N", { min: 1, default: 0, description }), { code: "internal" });
  assert.equal(list("L", { default: [], description }).fallback?.value.length, 0);
});

test("every example is accepted by its own field", () => {
  const fields: readonly Field<unknown>[] = [
    integer("A", { description }),
    integer("A", { max: -5, description }),
    port("B", { description }),
    durationMs("C", { min: 2000, description }),
    durationMs("C", { max: 10, description }),
    text("D", { minLength: 12, secret: true, description }),
    url("E", { protocols: ["amqp:"], description }),
    oneOf("F", ["a", "b"], { default: "b", description }),
    list("G", { description }),
    flag("H", { description }),
  ];
  for (const field of fields) assert.notEqual(field.parse(field.example), undefined, field.accepts);
});
