import assert from "node:assert/strict";
import { test } from "node:test";
import { perRegistry } from "./per-registry.ts";
import { createRegistry } from "./registry.ts";

test("what counts in a registry is made once for it, and another for another", () => {
  let made = 0;
  const instrumentsOf = perRegistry(() => ({ number: made++ }));
  const [one, other] = [createRegistry(), createRegistry()];
  assert.equal(instrumentsOf(one), instrumentsOf(one));
  assert.notEqual(instrumentsOf(one), instrumentsOf(other));
  assert.equal(made, 2);
});
