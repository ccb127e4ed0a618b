import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Type } from "typebox";
import { AppError } from "../errors/index.ts";
import { Coercer } from "./query.ts";

const coercer = new Coercer(
  Type.Object({
    text: Type.Optional(Type.String()),
    whole: Type.Optional(Type.Integer()),
    number: Type.Optional(Type.Number()),
    flag: Type.Optional(Type.Boolean()),
    texts: Type.Optional(Type.Array(Type.String())),
    wholes: Type.Optional(Type.Array(Type.Integer())),
  }),
);

function ruleOf(query: string): string | undefined {
  try {
    coercer.ofQuery(query);
    return undefined;
  } catch (thrown) {
    assert.ok(thrown instanceof AppError && thrown.code === "invalid");
    return thrown.violations[0]?.rule;
  }
}

test("text is read as the type that the schema declares", () => {
  assert.deepEqual(coercer.ofQuery("text=1&whole=-7&number=1.5e3&flag=true"), {
    text: "1",
    whole: -7,
    number: 1500,
    flag: true,
  });
  assert.deepEqual(coercer.ofQuery("flag=false"), { flag: false });
  assert.deepEqual(coercer.ofQuery(""), {});
});

test("what is no number or no boolean stays text, for the schema to refuse", () => {
  for (const text of [
    "",
    "0x10",
    "1e999",
    "01",
    "1_000",
    "Infinity",
    "NaN",
    "9007199254740993",
    ".5",
    "5.",
    "--1",
    "1,5",
    "\u0661",
  ]) {
    assert.deepEqual(coercer.ofQuery(`whole=${encodeURIComponent(text)}`), { whole: text });
  }
  assert.deepEqual(coercer.ofQuery("whole=%201"), { whole: " 1" });
  for (const text of ["", "1", "True", "yes"]) assert.deepEqual(coercer.ofQuery(`flag=${text}`), { flag: text });
});

test("a list has as many values as were given, one included", () => {
  assert.deepEqual(coercer.ofQuery("texts=a"), { texts: ["a"] });
  assert.deepEqual(coercer.ofQuery("texts=a&wholes=1&texts=&wholes=x"), { texts: ["a", ""], wholes: [1, "x"] });
});

test("a parameter that is no list is given once, in whatever spelling", () => {
  for (const query of [
    "text=a&text=b",
    "text=a&text=a",
    "text&text",
    "t%65xt=a&text=b",
    "other=1&other=2",
    "__proto__=1&__proto__=2",
  ]) {
    assert.equal(ruleOf(query), "unique", query);
  }
});

test("unknown parameters are handed on, for the schema to refuse, whatever their names", () => {
  const values = coercer.ofQuery("isAdmin=true&__proto__=a&constructor=b&=c");
  assert.deepEqual(Object.keys(values).sort(), ["", "__proto__", "constructor", "isAdmin"]);
  assert.equal(Object.getPrototypeOf(values), Object.prototype);
});

test("what is not percent-encoded UTF-8, or holds NUL, is refused", () => {
  for (const query of ["text=%", "text=%zz", "text=%ff", "%ff=1", "text=%ed%a0%80"])
    assert.equal(ruleOf(query), "encoding", query);
  assert.equal(ruleOf("text=%00"), "characters");
});

test("a plus is a space, empty pairs are nothing, and a name alone has an empty value", () => {
  assert.deepEqual(coercer.ofQuery("&text=a+b%2Bc&&whole&"), { text: "a b+c", whole: "" });
  assert.deepEqual(coercer.ofQuery("text=a=b=c"), { text: "a=b=c" });
});

test("whatever text is encoded arrives as it was", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }),
      (text, texts) => {
        fc.pre(![text, ...texts].some((value) => value.includes("\0")));
        const query = new URLSearchParams([
          ["text", text],
          ...texts.map((value): [string, string] => ["texts", value]),
        ]).toString();
        assert.deepEqual(coercer.ofQuery(query), { text, texts });
      },
    ),
  );
});

test("path parameters are read as their types, too", () => {
  assert.deepEqual(
    new Coercer(Type.Object({ id: Type.Integer(), name: Type.String() })).ofParams({ id: "7", name: "7" }),
    { id: 7, name: "7" },
  );
});
