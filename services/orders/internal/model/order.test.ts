import assert from "node:assert/strict";
import test from "node:test";
import { hasCode } from "parapet/errors";
import { assertExpected, cancel, newOrder, type Order, pay, toId } from "./order.ts";

const PLACED = new Date("2026-01-31T12:00:00Z");
const CHANGED = new Date("2026-02-01T12:00:00Z");
const request = {
  userId: "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41",
  currency: "EUR",
  items: [
    { sku: "tea", quantity: 2, unitAmount: 450 },
    { sku: "pot", quantity: 1, unitAmount: 1999 },
  ],
};
const order = newOrder("01932c07-4e2a-7d53-9b1f-000000000001", request, PLACED);

test("a new order is open, in its first version, and costs what its items cost", () => {
  assert.deepEqual(order, {
    id: "01932c07-4e2a-7d53-9b1f-000000000001",
    userId: request.userId,
    items: request.items,
    total: { amount: 2899, currency: "EUR" },
    status: "open",
    cancelReason: undefined,
    version: 1,
    createdAt: PLACED,
    updatedAt: PLACED,
  });
});

test("the greatest order that the contract allows costs an exact amount", () => {
  const items = Array.from({ length: 100 }, () => ({ sku: "x", quantity: 10_000, unitAmount: 1_000_000_000 }));
  const { amount } = newOrder(order.id, { ...request, items }, PLACED).total;
  assert.equal(amount, 1e15);
  assert.ok(Number.isSafeInteger(amount));
});

test("an open order can be paid, or canceled", () => {
  assert.deepEqual(pay(order, CHANGED), { ...order, status: "paid", version: 2, updatedAt: CHANGED });
  assert.deepEqual(cancel(order, "requested", CHANGED), {
    ...order,
    status: "canceled",
    cancelReason: "requested",
    version: 2,
    updatedAt: CHANGED,
  });
});

test("no other move is allowed: a paid order stays paid, a canceled one canceled", () => {
  const ended: Order[] = [pay(order, CHANGED), cancel(order, "customer_deleted", CHANGED)];
  for (const over of ended) {
    const isConflict = (thrown: unknown) => hasCode(thrown, "conflict") && thrown.fields.status === over.status;
    assert.throws(() => pay(over, CHANGED), isConflict);
    assert.throws(() => cancel(over, "requested", CHANGED), isConflict);
  }
});

test("an order with an expected version passes, any order when nothing is expected, and none for an empty list", () => {
  assertExpected(order, undefined);
  assertExpected(order, [3, 1]);
  for (const expected of [[], [2]]) {
    assert.throws(
      () => assertExpected(order, expected),
      (thrown) => hasCode(thrown, "stale"),
    );
  }
});

test("an id has one spelling", () => {
  assert.equal(toId(request.userId.toUpperCase()), request.userId);
});
