import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError, hasCode, toAppError } from "./app-error.ts";

test("an error carries what it was given", () => {
  const cause = new Error("connection refused");
  const violations = [{ in: "body", field: "email", rule: "format", detail: "must be an email address" }] as const;
  const error = new AppError("invalid", "the request is not valid", {
    cause,
    fields: { user_id: "u1" },
    violations,
    retryAfterMs: 250,
  });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "AppError");
  assert.equal(error.code, "invalid");
  assert.equal(error.message, "the request is not valid");
  assert.equal(error.cause, cause);
  assert.deepEqual(error.fields, { user_id: "u1" });
  assert.deepEqual(error.violations, violations);
  assert.equal(error.retryAfterMs, 250);
  assert.match(error.stack ?? "", /app-error\.test/);
});

test("an error that was given nothing has no cause, no fields, no violations", () => {
  const error = new AppError("not_found", "no such user");
  assert.equal("cause" in error, false);
  assert.deepEqual(error.fields, {});
  assert.deepEqual(error.violations, []);
  assert.equal(error.retryAfterMs, undefined);
});

test("a cause that is undefined is still a cause", () => {
  assert.equal("cause" in new AppError("internal", "internal error", { cause: undefined }), true);
});

test("an AppError stays what it is; anything else becomes the cause of an internal one", () => {
  const known = new AppError("conflict", "the email is taken");
  assert.equal(toAppError(known), known);
  for (const thrown of [new TypeError("x is not a function"), "a string", undefined, null]) {
    const error = toAppError(thrown);
    assert.equal(error.code, "internal");
    assert.equal(error.message, "internal error");
    assert.equal(error.cause, thrown);
  }
});

test("a code is recognized among several, and only on an AppError", () => {
  const error: unknown = new AppError("timeout", "the deadline passed");
  assert.ok(hasCode(error, "timeout"));
  assert.ok(hasCode(error, "canceled", "timeout"));
  assert.equal(hasCode(error, "canceled"), false);
  assert.equal(hasCode(error), false);
  assert.equal(hasCode({ code: "timeout" }, "timeout"), false);
  assert.equal(hasCode(undefined, "timeout"), false);
});
