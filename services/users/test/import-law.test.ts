import assert from "node:assert/strict";
import test from "node:test";
import { importBreaches, serviceLaw } from "parapet/testing";

const thirdParty = { "pkg/client": ["typebox"] };

test("imports point inwards: from the doors to the service, from the service to the model", () => {
  assert.deepEqual(importBreaches(new URL("..", import.meta.url), serviceLaw(thirdParty)), []);
});
