import assert from "node:assert/strict";
import { test } from "node:test";
import { at, steps } from "./pointer.ts";

test("a pointer's steps are unescaped, the slash before the tilde", () => {
  assert.deepEqual(steps(""), []);
  assert.deepEqual(steps("/a~1b/0/~01"), ["a/b", "0", "~1"]);
});

test("a pointer leads to a value, or nowhere", () => {
  const root = { "a/b": [{ c: 1 }] };
  assert.equal(at(root, ""), root);
  assert.equal(at(root, "/a~1b/0/c"), 1);
  assert.equal(at(root, "/a~1b/1/c"), undefined);
  assert.equal(at(null, "/a"), undefined);
});
