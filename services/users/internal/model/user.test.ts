import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "parapet/errors";
import { assertExpected, changeUser, emailKey, newUser, toUserId } from "./user.ts";

const CREATED = new Date("2026-01-31T12:00:00Z");
const CHANGED = new Date("2026-02-01T12:00:00Z");
const ada = newUser("01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41", { name: "Ada", email: "ada@example.com" }, CREATED);

test("a new user is its first version, created and updated at one instant", () => {
  assert.deepEqual(ada, {
    id: "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41",
    name: "Ada",
    email: "ada@example.com",
    version: 1,
    createdAt: CREATED,
    updatedAt: CREATED,
  });
});

test("a change makes the next version and leaves alone what it does not name", () => {
  const renamed = changeUser(ada, { name: "Ada Lovelace" }, CHANGED);
  assert.deepEqual(renamed, { ...ada, name: "Ada Lovelace", version: 2, updatedAt: CHANGED });
  assert.equal(ada.version, 1);
});

test("a change that makes no difference gives the very same user", () => {
  assert.equal(changeUser(ada, { name: "Ada" }, CHANGED), ada);
  assert.equal(changeUser(ada, { name: "Ada", email: "ada@example.com" }, CHANGED), ada);
  assert.equal(changeUser(ada, {}, CHANGED), ada);
});

test("a change of case alone is a difference", () => {
  assert.equal(changeUser(ada, { email: "Ada@example.com" }, CHANGED).version, 2);
});

test("neither case nor composition makes another address", () => {
  assert.equal(emailKey("ADA@Example.COM"), emailKey("ada@example.com"));
  assert.equal(emailKey("jose\u0301@example.com"), emailKey("JOS\u00c9@example.com"));
  assert.notEqual(emailKey("ada@example.com"), emailKey("a.da@example.com"));
});

test("an id has one spelling", () => {
  assert.equal(toUserId("01932C07-4E2A-7D53-9B1F-6A2F0C8E5D41"), ada.id);
});

test("a user with an expected version passes, any user when nothing is expected, and no user for an empty list", () => {
  assertExpected(ada, undefined);
  assertExpected(ada, [1]);
  assertExpected(ada, [3, 1]);
  for (const expected of [[], [2], [0, 2]]) {
    assert.throws(
      () => assertExpected(ada, expected),
      (thrown) => hasCode(thrown, "stale"),
    );
  }
});
