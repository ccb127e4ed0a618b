import assert from "node:assert/strict";
import { test } from "node:test";
import { type TSchema, Type } from "typebox";
import { validator } from "./validator.ts";

function refusals(schema: TSchema, value: unknown): string[] {
  return validator(schema)
    .violations(value, "body")
    .map(({ field, rule, detail }) => `${field}|${rule}|${detail}`);
}

const Order = Type.Object({
  items: Type.Array(
    Type.Object({ sku: Type.String({ minLength: 1 }), count: Type.Integer({ minimum: 1, maximum: 9 }) }),
    {
      minItems: 1,
    },
  ),
  note: Type.Optional(Type.String({ maxLength: 5 })),
});

test("what keeps every rule is accepted, and has no violations", () => {
  const value = { items: [{ sku: "a", count: 1 }] };
  assert.equal(validator(Order).accepts(value), true);
  assert.deepEqual(refusals(Order, value), []);
});

test("each broken rule is told by the field's path, its name and what would be right", () => {
  assert.deepEqual(
    refusals(Order, {
      items: [
        { sku: "", count: 1 },
        { sku: "a", count: 0 },
      ],
      note: "too long",
    }),
    [
      "items[0].sku|minLength|must have at least 1 character",
      "items[1].count|minimum|must be at least 1",
      "note|maxLength|must have at most 5 characters",
    ],
  );
});

test("missing and unknown fields are told by their own names", () => {
  assert.deepEqual(refusals(Order, {}), ["items|required|is required"]);
  assert.deepEqual(refusals(Order, { items: [{}] }), [
    "items[0].sku|required|is required",
    "items[0].count|required|is required",
  ]);
  assert.deepEqual(refusals(Order, { items: [{ sku: "a", count: 1, price: 0 }], isAdmin: true }).sort(), [
    "isAdmin|additionalProperties|is not a known field",
    "items[0].price|additionalProperties|is not a known field",
  ]);
  const both = Type.Intersect([Type.Object({ a: Type.Number() }), Type.Object({ b: Type.Number() })]);
  assert.deepEqual(refusals(both, { a: 1, b: 2, isAdmin: true }), [
    "isAdmin|unevaluatedProperties|is not a known field",
  ]);
});

test("the whole value is the field without a name", () => {
  assert.deepEqual(refusals(Order, []), ["|type|must be an object"]);
  assert.deepEqual(refusals(Order, null), ["|type|must be an object"]);
});

test("a few violations are enough, however many there are, and no name is repeated at length", () => {
  const unknown = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`field_${n}`, n]));
  assert.equal(refusals(Type.Object({}), unknown).length, 8);
  const many = { items: Array.from({ length: 5000 }, () => ({ sku: "", count: 0 })) };
  assert.ok(refusals(Order, many).length <= 8);
  const [long = ""] = refusals(Type.Object({}), { ["x".repeat(100_000)]: 1 });
  assert.equal(long, `${"x".repeat(64)}…|additionalProperties|is not a known field`);
});

test("a rule's detail says what would be accepted, in words", () => {
  const detail = (schema: TSchema, value: unknown) => validator(schema).violations(value, "query")[0]?.detail;
  assert.equal(
    detail(Type.String({ format: "uuid" }), "a"),
    "must be a UUID, for example 01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41",
  );
  assert.equal(detail(Type.String({ format: "date" }), "a"), "must be an RFC 3339 date, for example 2026-01-31");
  assert.equal(detail(Type.String({ format: "ipv4" }), "a"), "must be of the format ipv4");
  assert.equal(detail(Type.String({ format: "uuid", description: "an order number" }), "a"), "must be an order number");
  assert.equal(detail(Type.String({ pattern: "^[a-z]+$" }), "A"), "must match the pattern ^[a-z]+$");
  assert.equal(
    detail(Type.String({ pattern: "^[a-z]+$", description: "small letters" }), "A"),
    "must be small letters",
  );
  assert.equal(detail(Type.Enum(["a", "b"]), "c"), 'must be one of "a", "b"');
  assert.equal(detail(Type.Literal("a"), "c"), 'must be "a"');
  assert.equal(detail(Type.String({ minLength: 2 }), "a"), "must have at least 2 characters");
  assert.equal(detail(Type.Integer(), "a"), "must be an integer");
  assert.equal(detail(Type.String(), 1), "must be a string");
  assert.equal(detail(Type.Number({ maximum: 5 }), 6), "must be at most 5");
  assert.equal(detail(Type.Number({ exclusiveMinimum: 0 }), 0), "must be above 0");
  assert.equal(detail(Type.Array(Type.String(), { minItems: 1 }), []), "must have at least 1 item");
  assert.equal(detail(Type.Object({}, { minProperties: 1 }), {}), "must have at least 1 field");
});

test("a description is found behind names that a pointer must escape", () => {
  const schema = Type.Object({ "a/b~c": Type.String({ pattern: "^x$", description: "an x" }) });
  assert.deepEqual(validator(schema).violations({ "a/b~c": "y" }, "body"), [
    { in: "body", field: "a/b~c", rule: "pattern", detail: "must be an x" },
  ]);
});
