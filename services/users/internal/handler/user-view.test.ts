import assert from "node:assert/strict";
import test from "node:test";
import { toCursor } from "parapet/contract";
import { newUser } from "../model/user.ts";
import { toUserPage, toUserView } from "./user-view.ts";

const id = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";
const ada = newUser(id, { name: "Ada", email: "ada@example.com" }, new Date(Date.UTC(2026, 0, 31, 12)));

test("a user's dates are shown as ISO 8601 in UTC", () => {
  assert.deepEqual(toUserView(ada), {
    id,
    name: "Ada",
    email: "ada@example.com",
    version: 1,
    createdAt: "2026-01-31T12:00:00.000Z",
    updatedAt: "2026-01-31T12:00:00.000Z",
  });
});

test("the last page has no cursor, not even an empty one", () => {
  assert.deepEqual(toUserPage({ users: [ada], nextAfter: id }), {
    items: [toUserView(ada)],
    nextCursor: toCursor(id),
  });
  assert.deepEqual(toUserPage({ users: [], nextAfter: undefined }), { items: [] });
});
