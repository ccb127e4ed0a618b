import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type TSchema, Type } from "typebox";
import { projection } from "./projection.ts";

function project(schema: TSchema, value: unknown): unknown {
  return projection(schema)(value);
}

const User = Type.Object({ id: Type.String(), home: Type.Optional(Type.Object({ town: Type.String() })) });
const leaky = { id: "1", password: "secret", home: { town: "a", lat: 1 } };
const clean = { id: "1", home: { town: "a" } };

test("properties that a schema does not declare are left out at every depth", () => {
  assert.deepEqual(project(User, leaky), clean);
  assert.deepEqual(project(Type.Array(User), [leaky, leaky]), [clean, clean]);
  assert.deepEqual(project(Type.Object({ users: Type.Array(User) }), { users: [leaky], total: 1 }), { users: [clean] });
  assert.deepEqual(project(Type.Tuple([Type.Number(), User]), [1, leaky, leaky]), [1, clean]);
  assert.deepEqual(
    project(Type.Record(Type.String(), User), { a: leaky }),
    Object.assign(Object.create(null), { a: clean }),
  );
});

test("what is missing stays missing, and null stays null", () => {
  assert.deepEqual(project(User, { id: "1" }), { id: "1" });
  assert.deepEqual(project(User, { id: "1", home: undefined }), { id: "1" });
  assert.deepEqual(project(Type.Object({ home: Type.Union([User, Type.Null()]) }), { home: null }), { home: null });
});

test("a class's getters are read as properties are", () => {
  class Account {
    readonly password = "secret";
    get id(): string {
      return "1";
    }
  }
  assert.deepEqual(project(User, new Account()), { id: "1" });
});

test("a union takes the first member that fits, and a value that fits none is a bug", () => {
  const Cat = Type.Object({ kind: Type.Literal("cat"), lives: Type.Integer() });
  const Dog = Type.Object({ kind: Type.Literal("dog"), name: Type.String() });
  const pet = projection(Type.Union([Cat, Dog]));
  assert.deepEqual(pet({ kind: "dog", name: "a", lives: 9 }), { kind: "dog", name: "a" });
  assert.deepEqual(pet({ kind: "cat", name: "a", lives: 9 }), { kind: "cat", lives: 9 });
  assert.throws(() => pet({ kind: "cow" }), { code: "internal" });
  assert.equal(project(Type.Union([Type.Literal("a"), Type.Literal("b")]), "c"), "c");
});

test("an intersection has the properties of all its members", () => {
  assert.deepEqual(project(Type.Intersect([User, Type.Object({ age: Type.Number() })]), { ...leaky, age: 1 }), {
    ...clean,
    age: 1,
  });
});

test("a schema that says it is open is", () => {
  assert.deepEqual(
    project(Type.Object({ id: Type.String() }, { additionalProperties: true }), { id: "1", more: leaky }),
    Object.assign(Object.create(null), { id: "1", more: leaky }),
  );
  const users = Type.Object({ id: Type.String() }, { additionalProperties: User });
  assert.deepEqual(project(users, { id: "1", a: leaky }), Object.assign(Object.create(null), { id: "1", a: clean }));
});

test("patterns pick the names they match, and others are left out", () => {
  const schema = Type.Unsafe<object>({
    type: "object",
    patternProperties: { "^x-": { type: "string" } },
    additionalProperties: false,
  });
  assert.deepEqual(project(schema, { "x-a": "a", b: "b" }), Object.assign(Object.create(null), { "x-a": "a" }));
});

test("a name that reaches a prototype is a name like others", () => {
  const value = JSON.parse('{"__proto__":{"id":"1","password":"secret"},"constructor":{"id":"2"}}');
  assert.equal(
    JSON.stringify(project(Type.Record(Type.String(), User), value)),
    '{"__proto__":{"id":"1"},"constructor":{"id":"2"}}',
  );
});

test("a schema that hides what it declares is refused at boot", () => {
  for (const schema of [
    { $ref: "#" },
    { if: {} },
    { type: "array", prefixItems: [] },
    { type: "object", dependentSchemas: {} },
  ]) {
    assert.throws(() => projection(Type.Object({ a: Type.Unsafe<unknown>(schema) })), { code: "internal" });
  }
});

test("whatever is around it, only what is declared comes out, and all of it", () => {
  const plain = { noNullPrototype: true };
  const declared = fc.record({ id: fc.string(), home: fc.record({ town: fc.string() }, plain) }, plain);
  const stray = fc.dictionary(
    fc.string().filter((name) => !["id", "home", "town"].includes(name)),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(declared, stray, stray, (value, around, within) => {
      assert.deepEqual(project(User, { ...around, ...value, home: { ...within, ...value.home } }), value);
    }),
  );
});
