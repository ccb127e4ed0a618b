import assert from "node:assert/strict";
import { Problem } from "parapet/contract";
import type { RawResponse } from "parapet/testing";
import { Value } from "typebox/value";

// What a body would show if an error came through as it was thrown: stack frames, files, SQL, the driver, addresses.
const INSIDES =
  /\bat .+:\d+|node:|\.[cm]?[jt]s\b|node_modules|file:|\b(select|insert|update|delete) .*\b(users|id|from|into)\b|relation|sqlstate|postgres|ECONN|127\.0\.0\.1|localhost/i;

/** The problem document of a response, which tells the client what it needs and nothing of the inside. */
export function problemOf({ status, headers, body }: RawResponse): Problem {
  const text = body.toString();
  const problem: unknown = JSON.parse(text);
  assert.ok(Value.Check(Problem, problem), text);
  const { "content-type": type, "cache-control": caching, "x-content-type-options": options } = headers;
  assert.deepEqual([type, caching, options], ["application/problem+json; charset=utf-8", "no-store", "nosniff"]);
  assert.equal(problem.status, status);
  assert.equal(problem.instance, headers["x-request-id"]);
  assert.doesNotMatch(text, INSIDES);
  assert.ok(!text.includes(process.cwd()), text);
  return problem;
}
