import assert from "node:assert/strict";
import test from "node:test";
import { seedIds } from "./seed-ids.ts";

test("seeded ids are distinct UUIDs in order, and carry the tag", () => {
  const ids = seedIds(10_000, "00c0ffee");
  assert.equal(new Set(ids).size, 10_000);
  assert.deepEqual(ids, ids.toSorted());
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7000-8000-00c0ffee[0-9a-f]{4}$/);
});

test("no ids are none", () => {
  assert.deepEqual(seedIds(0, "00c0ffee"), []);
});
