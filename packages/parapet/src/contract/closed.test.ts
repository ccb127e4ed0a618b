import assert from "node:assert/strict";
import { test } from "node:test";
import { type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { closed } from "./closed.ts";

function accepts(schema: TSchema | object, value: unknown): boolean {
  return Compile(closed(schema)).Check(value);
}

const Person = Type.Object({ name: Type.String(), home: Type.Optional(Type.Object({ town: Type.String() })) });

test("objects refuse what they do not name, at every depth", () => {
  assert.equal(accepts(Person, { name: "a", home: { town: "b" } }), true);
  assert.equal(accepts(Person, { name: "a", admin: true }), false);
  assert.equal(accepts(Person, { name: "a", home: { town: "b", admin: true } }), false);
  assert.equal(accepts(Type.Array(Person), [{ name: "a" }, { name: "b", admin: true }]), false);
  assert.equal(accepts(Type.Tuple([Person, Person]), [{ name: "a" }, { name: "b", admin: true }]), false);
  assert.equal(accepts(Type.Record(Type.String(), Person), { x: { name: "a", admin: true } }), false);
  assert.equal(accepts(Type.Union([Person, Type.Null()]), { name: "a", admin: true }), false);
  assert.equal(accepts(Type.Partial(Person), { admin: true }), false);
});

test("an object without properties refuses them all", () => {
  assert.equal(accepts(Type.Object({}), {}), true);
  assert.equal(accepts(Type.Object({}), { a: 1 }), false);
});

test("one that says itself what else it takes keeps its word", () => {
  assert.equal(accepts(Type.Object({ a: Type.String() }, { additionalProperties: true }), { a: "a", b: 1 }), true);
  const numbers = Type.Object({ a: Type.String() }, { additionalProperties: Type.Number() });
  assert.equal(accepts(numbers, { a: "a", b: 1 }), true);
  assert.equal(accepts(numbers, { a: "a", b: "b" }), false);
});

test("an intersection knows the properties of all its members, and no others", () => {
  const both = Type.Intersect([Person, Type.Object({ age: Type.Number() })]);
  assert.equal(accepts(both, { name: "a", age: 1, home: { town: "b" } }), true);
  assert.equal(accepts(both, { name: "a", age: 1, admin: true }), false);
  assert.equal(accepts(both, { name: "a", age: 1, home: { town: "b", admin: true } }), false);
  assert.equal(accepts(Type.Object({ both }), { both: { name: "a", age: 1, admin: true } }), false);
});

test("what a schema excludes stays as wide as it was", () => {
  const noBots = {
    type: "object",
    properties: { kind: {}, name: {} },
    not: { type: "object", properties: { kind: { const: "bot" } }, required: ["kind"] },
  };
  assert.equal(accepts(noBots, { kind: "human", name: "a" }), true);
  assert.equal(accepts(noBots, { kind: "bot", name: "a" }), false);
  assert.equal(accepts(noBots, { kind: "human", admin: true }), false);
});

test("names and values that look like keywords are left alone", () => {
  const odd = Type.Object({
    properties: Type.Object({ allOf: Type.String() }),
    const: Type.Literal("const"),
    shape: Type.Unsafe<object>({ enum: [{ type: "object", properties: {} }] }),
  });
  assert.equal(
    accepts(odd, { properties: { allOf: "a" }, const: "const", shape: { type: "object", properties: {} } }),
    true,
  );
  assert.equal(
    accepts(odd, { properties: { allOf: "a", admin: 1 }, const: "const", shape: { type: "object", properties: {} } }),
    false,
  );
});

test("the schema itself is not changed", () => {
  const before = JSON.stringify(Person);
  closed(Person);
  assert.equal(JSON.stringify(Person), before);
});
