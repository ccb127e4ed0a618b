import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../errors/index.ts";
import { parseIdempotencyKey } from "./idempotency-key.ts";

test("a key is a quoted string or a bare word", () => {
  for (const [header, key] of [
    [undefined, undefined],
    ['"8e03978e-40d5"', "8e03978e-40d5"],
    ["8e03978e-40d5", "8e03978e-40d5"],
    ['"a b, c"', "a b, c"],
    [String.raw`"a \"b\" \\"`, String.raw`a "b" \ `.trim()],
    ["x".repeat(255), "x".repeat(255)],
  ] as const) {
    assert.equal(parseIdempotencyKey(header), key);
  }
});

test("what is no key, or two, is invalid and says what one looks like", () => {
  for (const header of ["", '""', '"', '"a', "a b", "a, a", '"a", "b"', "ä", "x".repeat(256), `"${"x".repeat(256)}"`]) {
    assert.throws(
      () => parseIdempotencyKey(header),
      (thrown) => hasCode(thrown, "invalid") && thrown.violations[0]?.field === "idempotency-key",
      header,
    );
  }
});
