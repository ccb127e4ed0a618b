import assert from "node:assert/strict";
import test from "node:test";
import { validator } from "parapet/contract";
import type { TSchema } from "typebox";
import { ById, NewUser, Page, UserChange } from "./api.ts";

const UUID = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";

test("a name is 1 to 100 characters of any script", () => {
  for (const name of ["A", "Ada Lovelace", "N'Golo", "李小龍", "👩‍🚀", "x".repeat(100), "👋".repeat(100)]) {
    assert.deepEqual(refusals(UserChange, { name }), [], name);
  }
});

test("a name is told what it must be", () => {
  const text = "name must be text without control characters, and without spaces at its ends";
  for (const [name, refusal] of [
    ["", "name must have at least 1 character"],
    ["x".repeat(101), "name must have at most 100 characters"],
    [" ", text],
    [" Ada", text],
    ["Ada\u00a0", text],
    ["Ada\nLovelace", text],
    ["Ada\u0000", text],
    ["Ada\u0085", text],
  ] as const) {
    assert.deepEqual(refusals(UserChange, { name }), [refusal], JSON.stringify(name));
  }
});

test("an email address is one that a browser's form would take", () => {
  for (const email of ["a@b", "john@example.com", "Ada.Love+lace@mail.example.co.uk", "o'neil@xn--bcher-kva.example"]) {
    assert.deepEqual(refusals(UserChange, { email }), [], email);
  }
});

test("an email address is told what it must be", () => {
  const odd = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "a b@c.de",
    "ada@-x.de",
    "ada@x..de",
    "ada@x.de\n",
    '"a\r\n"@b.de',
    "é@b.de",
  ];
  for (const email of odd) {
    assert.deepEqual(
      refusals(UserChange, { email }),
      ["email must be an email address, for example ada@example.com"],
      JSON.stringify(email),
    );
  }
  const long = `${"a".repeat(243)}@example.com`;
  assert.deepEqual(refusals(UserChange, { email: long }), ["email must have at most 254 characters"]);
  assert.deepEqual(refusals(UserChange, { email: long.slice(1) }), []);
});

test("a new user has a name and an email address, and nothing else", () => {
  assert.deepEqual(refusals(NewUser, { name: "Ada", email: "ada@example.com" }), []);
  assert.deepEqual(refusals(NewUser, {}), ["name is required", "email is required"]);
  assert.deepEqual(refusals(NewUser, { name: "Ada", email: "ada@example.com", id: UUID, version: 3 }), [
    "id is not a known field",
    "version is not a known field",
  ]);
});

test("a change names something to change", () => {
  assert.equal(refusals(UserChange, {}).length, 1);
  assert.equal(refusals(UserChange, { name: null }).length, 1);
});

test("an id is a UUID in either case", () => {
  assert.deepEqual(refusals(ById, { id: UUID }), []);
  assert.deepEqual(refusals(ById, { id: UUID.toUpperCase() }), []);
  assert.deepEqual(refusals(ById, { id: "nope" }), [`id must be a UUID, for example ${UUID}`]);
});

test("a page has 1 to 100 users", () => {
  for (const page of [{}, { limit: 1 }, { limit: 100 }, { cursor: "AQ" }]) assert.deepEqual(refusals(Page, page), []);
  for (const limit of [0, 101, -1, 1.5, "many"]) assert.equal(refusals(Page, { limit }).length, 1, String(limit));
});

function refusals(schema: TSchema, value: unknown): string[] {
  return validator(schema)
    .violations(value, "body")
    .map(({ field, detail }) => `${field} ${detail}`);
}
