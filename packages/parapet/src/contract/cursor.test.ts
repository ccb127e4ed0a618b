import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hasCode } from "../errors/index.ts";
import { parseCursor, toCursor } from "./cursor.ts";

const uuid = fc.uuid();

test("every id comes back from its cursor", () => {
  fc.assert(fc.property(uuid, (id) => parseCursor(toCursor(id)) === id));
});

test("a cursor fits a query string as it is, and does not show the id", () => {
  fc.assert(
    fc.property(uuid, (id) => {
      const cursor = toCursor(id);
      assert.match(cursor, /^[\w-]{23}$/);
      assert.ok(!cursor.includes(id.slice(0, 8)));
    }),
  );
});

test("different ids have different cursors", () => {
  fc.assert(fc.property(uuid, uuid, (a, b) => (toCursor(a) === toCursor(b)) === (a === b)));
});

test("text that is not a cursor is refused, and what is not refused is the one spelling of an id", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), mutated()), (text) => {
      const id = parsed(text);
      if (id !== undefined) assert.equal(toCursor(id), text);
    }),
  );
});

test("a cursor with another version, length or spelling is refused by name", () => {
  const cursor = toCursor("01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41");
  const bytes = Buffer.from(cursor, "base64url");
  const odd = [
    "",
    "nope",
    `${cursor}=`,
    ` ${cursor}`,
    cursor.slice(1),
    `${cursor.slice(0, -1)}B`,
    Buffer.from([2, ...bytes.subarray(1)]).toString("base64url"),
    Buffer.from([...bytes, 0]).toString("base64url"),
  ];
  for (const text of odd) assert.equal(parsed(text), undefined, text);
});

/** A cursor with one character replaced, put in or taken out. */
function mutated(): fc.Arbitrary<string> {
  return fc
    .tuple(uuid, fc.nat(23), fc.nat(1), fc.string({ maxLength: 1 }))
    .map(([id, at, gone, put]) => toCursor(id).slice(0, at) + put + toCursor(id).slice(at + gone));
}

/** The id that a text stands for, or undefined when it is refused as it should be. */
function parsed(text: string): string | undefined {
  try {
    return parseCursor(text);
  } catch (thrown) {
    assert.ok(hasCode(thrown, "invalid"));
    assert.deepEqual(
      thrown.violations.map((violation) => [violation.in, violation.field]),
      [["query", "cursor"]],
    );
    return undefined;
  }
}
