import assert from "node:assert/strict";
import test from "node:test";
import { Returned } from "./returned.ts";

const PUBLISHED = { exchange: "events", routingKey: "a.b", id: "id-1" };

test("a message that came back is told from the others, once each time", () => {
  const returned = new Returned();
  returned.note(PUBLISHED);
  returned.note(PUBLISHED);
  assert.equal(returned.take({ ...PUBLISHED, id: "id-2" }), false);
  assert.equal(returned.take({ ...PUBLISHED, routingKey: "a.c" }), false);
  assert.deepEqual(
    [1, 2, 3].map(() => returned.take(PUBLISHED)),
    [true, true, false],
  );
});
