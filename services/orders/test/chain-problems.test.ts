import assert from "node:assert/strict";
import test from "node:test";
import type { Order } from "../pkg/client/index.ts";
import type { KnownOrder } from "./chain-ledger.ts";
import { chainProblems, type Outcome } from "./chain-problems.ts";

const [ADA, BOB] = ["ada", "bob"];

/** A run in which all went well: Ada paid one order and left with another open; Bob has one open. */
function run() {
  const known = (id: string, userId: string, move: KnownOrder["move"] = "none"): [string, KnownOrder] => [
    id,
    { id, userId, move },
  ];
  const told = {
    orders: new Map([known("paid", ADA, "paid"), known("left", ADA), known("open", BOB)]),
    users: new Set([ADA, BOB]),
    deleted: new Set([ADA]),
    unanswered: [] as string[],
  };
  const stored: Map<
    string,
    { userId: string; status: Order["status"]; version: number; cancelReason?: Order["cancelReason"] }
  > = new Map([
    ["paid", { userId: ADA, status: "paid", version: 2 }],
    ["left", { userId: ADA, status: "canceled", version: 2, cancelReason: "customer_deleted" }],
    ["open", { userId: BOB, status: "open", version: 1 }],
  ]);
  const event = (order: string, what: string, version: number) => ({
    id: `${order} ${what}`,
    type: `orders.order.${what}.v1`,
    data: { id: order, version } as Order,
  });
  const events = [
    event("paid", "placed", 1),
    event("left", "placed", 1),
    event("paid", "paid", 2),
    event("paid", "paid", 2),
    event("open", "placed", 1),
    event("left", "canceled", 2),
  ];
  const customers = new Map([
    [ADA, { version: 1, isDeleted: true }],
    [BOB, { version: 1, isDeleted: false }],
  ]);
  return {
    told,
    stored,
    events,
    customers,
    event,
    problems: () => chainProblems(told, { stored, events, customers } as Outcome),
  };
}

test("a run in which all went well has no problems, though events came twice", () => {
  assert.deepEqual(run().problems(), []);
});

for (const [what, spoil, problem] of [
  ["an order that is lost", ({ stored }) => stored.delete("open"), "order open: lost"],
  [
    "an order that nobody was told of",
    ({ told }) => told.orders.delete("open"),
    "order open: nobody was told of it: doubled, or invented",
  ],
  [
    "an open order of a user who is gone",
    ({ stored }) => stored.set("left", { userId: ADA, status: "open", version: 1 }),
    "order left: open, and should be canceled",
  ],
  [
    "a payment that is lost",
    ({ stored }) => stored.set("paid", { userId: ADA, status: "open", version: 1 }),
    "order paid: open, and should be paid",
  ],
  ["an event that is lost", ({ events }) => events.pop(), "order left: published orders.order.placed.v1 1"],
  [
    "events out of order",
    ({ events }) => events.reverse(),
    "order left: published orders.order.canceled.v1 2, orders.order.placed.v1 1",
  ],
  [
    "an event of nothing",
    ({ events, event }) => events.push(event("ghost", "placed", 1)),
    "order ghost: announced, and never was",
  ],
  [
    "a change that came twice",
    ({ stored }) => stored.set("paid", { userId: ADA, status: "paid", version: 3 }),
    "order paid: in version 3",
  ],
  ["a user who was never heard of", ({ customers }) => customers.delete(BOB), "user bob: never heard of"],
  [
    "a user whose end was not heard of",
    ({ customers }) => customers.set(ADA, { version: 1, isDeleted: false }),
    "user ada: gone is false, and was not told so",
  ],
  ["a request without an answer", ({ told }) => told.unanswered.push("POST"), "never answered: POST"],
] as const satisfies readonly (readonly [string, (of: ReturnType<typeof run>) => unknown, string])[]) {
  test(`${what} is found`, () => {
    const spoiled = run();
    spoil(spoiled);
    assert.ok(spoiled.problems().includes(problem), spoiled.problems().join("\n"));
  });
}
