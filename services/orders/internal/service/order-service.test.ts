import assert from "node:assert/strict";
import test from "node:test";
import { AppError, type ErrorCode, hasCode } from "parapet/errors";
import { manualClock, Replayed, testContext, testOnce } from "parapet/testing";
import type { UserDirectory } from "../model/customer.ts";
import { pay } from "../model/order.ts";
import { MemoryOrderStore } from "../repository/memory/memory-order-store.ts";
import { OrderService } from "./order-service.ts";

const PLACED = new Date("2026-01-31T12:00:00Z");
const ADA = "01932c07-4e2a-7d53-9b1f-00000000000a";
const request = { userId: ADA, currency: "EUR", items: [{ sku: "tea", quantity: 2, unitAmount: 450 }] };

function setup() {
  const store = new MemoryOrderStore();
  const clock = manualClock(PLACED);
  const ctx = testContext();
  /** What the users service says, or what it fails with. */
  const says: { answer: boolean | AppError } = { answer: true };
  const users: UserDirectory = {
    has: async () => {
      if (says.answer instanceof AppError) throw says.answer;
      return says.answer;
    },
  };
  let made = 0;
  const newId = () => `01932c07-4e2a-7d53-9b1f-${String(++made).padStart(12, "0")}`;
  const service = new OrderService({ store, users, newId, now: clock.now });
  const place = () => service.place(ctx, request, testOnce());
  const heard = (version: number) => service.customerHeardOf(ctx, { id: ADA, version, isDeleted: false }, testOnce());
  const deleted = (key: string) =>
    service.customerDeleted(ctx, { id: ADA, version: 2, isDeleted: false }, testOnce(key));
  return { ctx, store, service, says, place, heard, deleted };
}

const withCode = (code: ErrorCode) => (thrown: unknown) => hasCode(thrown, code);
const away = new AppError("unavailable", "the users service is away");

test("an order for a user that there is is placed, announced, and logged with who and what", async () => {
  const { ctx, store, service, place } = setup();
  const placed = await place();
  assert.deepEqual(await service.get(ctx, placed.id), placed);
  assert.deepEqual(store.facts, [{ kind: "order_placed", order: placed }]);
  const [{ msg, user_id, order_id, action } = assert.fail()] = ctx.lines;
  assert.deepEqual(
    { msg, user_id, order_id, action },
    { msg: "order created successfully", user_id: ADA, order_id: placed.id, action: "create_order" },
  );
});

test("an order for a user that there is not names the field, and nothing is placed", async () => {
  const { store, says, place } = setup();
  says.answer = false;
  await assert.rejects(place(), (thrown) => {
    assert.ok(hasCode(thrown, "invalid"));
    assert.deepEqual(
      thrown.violations.map(({ field, rule }) => `${field} ${rule}`),
      ["userId exists"],
    );
    return true;
  });
  assert.deepEqual(store.facts, []);
});

for (const failure of [away, new AppError("timeout", "no answer in time")]) {
  test(`while the users service gives nothing but ${failure.code}, who is known here may order, and nobody else`, async () => {
    const { says, place, heard, deleted } = setup();
    says.answer = failure;
    await assert.rejects(place(), (thrown) => hasCode(thrown, "unavailable") && thrown.cause === failure);
    await heard(1);
    assert.equal((await place()).status, "open");
    await deleted("m");
    await assert.rejects(place(), withCode("invalid"));
  });
}

test("who has ordered before is known", async () => {
  const { says, place } = setup();
  await place();
  says.answer = away;
  await place();
});

test("what else goes wrong with the users service is not passed over", async () => {
  const { says, place, heard } = setup();
  await heard(1);
  says.answer = new AppError("forbidden", "not for you");
  await assert.rejects(place(), withCode("forbidden"));
});

test("an order that was placed is told again under its key, though its user is gone by now", async () => {
  const { ctx, service, says, deleted } = setup();
  const place = () => service.place(ctx, request, testOnce("k"));
  const { id } = await place();
  says.answer = false;
  await deleted("m");
  await assert.rejects(place(), (thrown) => thrown instanceof Replayed && (thrown.reply as { id: string }).id === id);
});

test("a user of whom it was heard that it is gone orders nothing, though the users service is behind", async () => {
  const { place, deleted } = setup();
  await deleted("m");
  await assert.rejects(place(), withCode("invalid"));
});

test("an order is paid or canceled once, in the version that is expected, and each is announced", async () => {
  const { ctx, service, store, place } = setup();
  const [first, second] = [await place(), await place()];
  const move = (id: string, expected?: readonly number[]) => ({ id, expected, once: testOnce() });
  await assert.rejects(service.pay(ctx, move(first.id, [2])), withCode("stale"));
  const paid = await service.pay(ctx, move(first.id, [1]));
  assert.deepEqual(paid, pay(first, PLACED));
  await assert.rejects(service.pay(ctx, move(first.id)), withCode("conflict"));
  await assert.rejects(service.cancel(ctx, move(first.id)), withCode("conflict"));
  const canceled = await service.cancel(ctx, move(second.id));
  assert.equal(canceled.cancelReason, "requested");
  await assert.rejects(service.cancel(ctx, move("01932c07-4e2a-7d53-9b1f-ffffffffffff")), withCode("not_found"));
  assert.deepEqual(
    store.facts.slice(2).map(({ kind, order }) => `${kind} ${order.id}`),
    [`order_paid ${first.id}`, `order_canceled ${second.id}`],
  );
});

test("a user's open orders are canceled when it is gone, however many, once, and what was paid stays", async () => {
  const { ctx, service, store, place, deleted } = setup();
  const paid = await place();
  await service.pay(ctx, { id: paid.id, once: testOnce() });
  for (let n = 0; n < 250; n++) await place();
  await deleted("m");
  const canceled = store.facts.filter(({ kind }) => kind === "order_canceled");
  assert.equal(new Set(canceled.map(({ order }) => order.id)).size, 250);
  assert.equal(canceled.length, 250);
  assert.ok(canceled.every(({ order }) => order.cancelReason === "customer_deleted"));
  assert.equal((await service.get(ctx, paid.id)).status, "paid");
  await assert.rejects(deleted("m"), (thrown) => thrown instanceof Replayed);
  assert.equal(store.facts.filter(({ kind }) => kind === "order_canceled").length, 250);
});

test("pages hold each order once, in the order in which they were placed", async () => {
  const { ctx, service, place } = setup();
  const placed = [];
  for (let n = 0; n < 7; n++) placed.push(await place());
  for (const limit of [1, 3, 7, 8]) {
    const listed = [];
    let after: string | undefined;
    do {
      const page = await service.list(ctx, { userId: ADA, limit, after });
      listed.push(...page.orders);
      after = page.nextAfter;
    } while (after !== undefined);
    assert.deepEqual(listed, placed);
  }
});
