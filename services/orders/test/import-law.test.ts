import assert from "node:assert/strict";
import test from "node:test";
import { importBreaches, serviceLaw } from "parapet/testing";

/** What a neighbour publishes is for the doors: who is called, and whose events are heard. */
const thirdParty = {
  "pkg/client": ["typebox"],
  "internal/gateway": ["@services/users"],
  "internal/handler": ["@services/users"],
};

test("imports point inwards: from the doors to the service, from the service to the model", () => {
  assert.deepEqual(importBreaches(new URL("..", import.meta.url), serviceLaw(thirdParty)), []);
});
