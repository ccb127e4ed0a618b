import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { afterHearing, type Customer } from "./customer.ts";

const id = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";
const heard = fc.record(
  { id: fc.constant(id), version: fc.nat(5), isDeleted: fc.boolean() },
  { noNullPrototype: true },
);

const inTurn = (all: readonly Customer[]) => all.reduce<Customer | undefined>(afterHearing, undefined);

test("in whatever order and however often events come, what is known in the end is the same", () => {
  fc.assert(
    fc.property(fc.array(heard, { minLength: 1 }), fc.array(fc.nat(), { minLength: 1 }), (events, picks) => {
      const shuffled = [...events].sort((one, other) => one.version - other.version);
      const again = [...shuffled, ...picks.map((pick) => events[pick % events.length] as Customer)];
      assert.deepEqual(inTurn(again.toReversed()), inTurn(events));
    }),
  );
});

test("who is deleted stays so, whatever comes late", () => {
  const gone = afterHearing({ id, version: 1, isDeleted: false }, { id, version: 3, isDeleted: true });
  assert.deepEqual(afterHearing(gone, { id, version: 2, isDeleted: false }), { id, version: 3, isDeleted: true });
});
