import assert from "node:assert/strict";
import test from "node:test";
import { UntoldKeys } from "./untold-keys.ts";

test("a key is untold until it was told, or what Redis held of it is over", () => {
  const untold = new UntoldKeys(100);
  assert.equal(untold.has("a", 0), false);
  untold.add("a", 0);
  untold.add("b", 50);
  assert.deepEqual([untold.has("a", 99), untold.has("a", 100), untold.has("b", 100)], [true, false, true]);
  untold.delete("b");
  assert.equal(untold.has("b", 60), false);
  assert.deepEqual(untold.keys, ["a"]);
});

test("beyond ten thousand all keys are untold, and those whose time is over make room", () => {
  const untold = new UntoldKeys(100);
  for (let n = 0; n < 10_000; n++) untold.add(`k${n}`, 0);
  assert.equal(untold.has("other", 50), false);
  untold.add("one more", 50);
  assert.deepEqual([untold.has("other", 149), untold.has("other", 150)], [true, false]);
  untold.add("later", 200);
  assert.deepEqual(untold.keys, ["later"]);
});
