import assert from "node:assert/strict";
import { test } from "node:test";
import { type Known, type Outcome, problemsIn } from "./fire-problems.ts";
import type { PublishedEvent } from "./published-events.ts";

const CREATED = "users.user.created.v1";
const UPDATED = "users.user.updated.v1";
const DELETED = "users.user.deleted.v1";

function event(userId: string, type: string, version: number): PublishedEvent {
  const data = { id: userId, name: "Ada", email: "ada@example.com", version };
  return { id: `${userId} ${type} ${version}`, type, data, at: 0 };
}

/** Ada has two updates, Bob was deleted. */
const ALL_WELL = {
  known: {
    ada: { attemptedUpdates: 3, acknowledgedUpdates: 1, deletion: "none" },
    bob: { attemptedUpdates: 0, acknowledgedUpdates: 0, deletion: "acknowledged" },
  } as Readonly<Record<string, Known>>,
  stored: { ada: 3 } as Readonly<Record<string, number>>,
  events: [
    event("ada", CREATED, 1),
    event("bob", CREATED, 1),
    event("ada", UPDATED, 2),
    event("ada", UPDATED, 2),
    event("ada", UPDATED, 3),
    event("bob", DELETED, 1),
    event("ada", CREATED, 1),
  ],
  counts: {
    [`ada ${CREATED}`]: 1,
    [`ada ${UPDATED}`]: 2,
    [`bob ${CREATED}`]: 1,
    [`bob ${DELETED}`]: 1,
  } as Readonly<Record<string, number>>,
};

function problemsWith(change: Partial<typeof ALL_WELL>): string {
  const { known, stored, events, counts } = { ...ALL_WELL, ...change };
  const outcome: Outcome = {
    stored: new Map(Object.entries(stored)),
    events,
    countOf: (userId, type) => counts[`${userId} ${type}`] ?? 0,
  };
  return problemsIn(new Map(Object.entries(known)), outcome).join("\n");
}

test("what was published twice and took effect once is no problem", () => {
  assert.equal(problemsWith({}), "");
});

const without = (at: number) => ALL_WELL.events.filter((_, index) => index !== at);
const FAULTS: readonly (readonly [string, Partial<typeof ALL_WELL>, RegExp])[] = [
  ["an event that is lost", { events: without(4) }, /^ada: not published as it happened/],
  [
    "an effect that is lost",
    { counts: { ...ALL_WELL.counts, [`bob ${DELETED}`]: 0 } },
    /^bob: took effect 1,0,0 times/,
  ],
  ["an effect twice", { counts: { ...ALL_WELL.counts, [`ada ${UPDATED}`]: 3 } }, /^ada: took effect 1,3,0 times/],
  ["a user who is lost", { stored: {} }, /^ada: gone, and nobody deleted it/],
  ["an update that is lost", { stored: { ada: 1 }, events: [] }, /^ada: 1 updates are lost/],
  ["an update that nobody asked for", { stored: { ada: 5 } }, /^ada: 1 updates that nobody asked for/],
  ["a deletion that is lost", { stored: { ada: 3, bob: 1 } }, /^bob: its deletion is lost/],
  ["events out of order", { events: ALL_WELL.events.toReversed() }, /not published as it happened/],
  ["an event of nothing", { events: [...ALL_WELL.events, event("eve", CREATED, 1)] }, /^eve: a user who never was/],
];

for (const [fault, change, problem] of FAULTS) {
  test(`${fault} is found`, () => {
    assert.match(problemsWith(change), problem);
  });
}
