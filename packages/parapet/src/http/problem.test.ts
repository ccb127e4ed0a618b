import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../errors/index.ts";
import { toProblemReply } from "./problem.ts";
import { Refusal } from "./refusal.ts";

function problemOf(error: AppError): Record<string, unknown> {
  return JSON.parse(toProblemReply(error, "r1").body ?? "");
}

test("an error becomes a problem that says its code, its message and the request's id", () => {
  assert.deepEqual(problemOf(new AppError("conflict", "the email is taken")), {
    type: "about:blank",
    title: "Conflict",
    status: 409,
    code: "conflict",
    detail: "the email is taken",
    instance: "r1",
  });
});

test("violations are shown; causes and fields are not", () => {
  const violations = [{ in: "body", field: "email", rule: "unique", detail: "is taken" }] as const;
  const problem = problemOf(
    new AppError("conflict", "taken", { violations, cause: new Error("secret"), fields: { secret: 1 } }),
  );
  assert.deepEqual(problem.errors, violations);
  assert.doesNotMatch(JSON.stringify(problem), /secret/);
});

test("an internal error has no message", () => {
  assert.equal("detail" in problemOf(new AppError("internal", "secret")), false);
});

test("a refusal has a status and headers of its own", () => {
  const refusal = new Refusal(405, "no such method", { headers: { allow: "GET" } });
  const { status, headers } = toProblemReply(refusal, "r1");
  assert.deepEqual([status, headers?.allow, problemOf(refusal).title], [405, "GET", "Method Not Allowed"]);
  assert.equal(problemOf(new AppError("canceled", "gone")).title, "Client Closed Request");
});

test("who asked for a change that may have been made is told that, and not to come back", () => {
  const unknown = new AppError("unavailable", "it is not known", { fields: { outcome: "unknown" } });
  assert.equal(problemOf(unknown).type, "urn:parapet:problem:outcome-unknown");
  assert.equal(toProblemReply(unknown, "r1").headers?.["retry-after"], undefined);
});

test("who is told to come back later is told when, and not all at once", () => {
  const seconds = (retryAfterMs: number | undefined) =>
    new Set(
      Array.from({ length: 500 }, () => {
        const error = new AppError("unavailable", "away", retryAfterMs === undefined ? {} : { retryAfterMs });
        return Number(toProblemReply(error, "r1").headers?.["retry-after"]);
      }),
    );
  assert.deepEqual([...seconds(undefined)].sort(), [1, 2, 3]);
  assert.deepEqual([...seconds(0)].sort(), [1, 2, 3]);
  assert.deepEqual([...seconds(1500)].sort(), [2, 3, 4, 5]);
  assert.equal(toProblemReply(new AppError("conflict", "taken"), "r1").headers?.["retry-after"], undefined);
  assert.notEqual(
    toProblemReply(new AppError("rate_limited", "slow down", { retryAfterMs: 1 }), "r1").headers?.["retry-after"],
    undefined,
  );
});
