import assert from "node:assert/strict";
import test from "node:test";
import { Type } from "typebox";
import { hasCode } from "../errors/index.ts";
import { event } from "./event.ts";

const schema = Type.Object({ id: Type.String() });

test("an event has a name of its service, its noun, what happened and the schema's version", () => {
  assert.deepEqual(event("users.user.created.v1", schema), { type: "users.user.created.v1", schema });
  for (const type of [
    "",
    "created.v1",
    "users.created.v1",
    "users.user.created",
    "users.user.created.v0",
    "Users.user.created.v1",
  ]) {
    assert.throws(
      () => event(type, schema),
      (thrown) => hasCode(thrown, "internal"),
    );
  }
});
