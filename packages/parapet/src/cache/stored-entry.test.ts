import assert from "node:assert/strict";
import test from "node:test";
import { AppError, hasCode } from "../errors/index.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { found, missing } from "./outcome.ts";
import { type Codec, decodeEntry, encodeEntry } from "./stored-entry.ts";

const codec: Codec<unknown> = { version: 7, encode: JSON.stringify, decode: JSON.parse };

test("what is written is read again, be it empty, long, or not in ASCII", () => {
  for (const value of ["", 0, null, "é€😀", { nested: [1, "v1:", "m2:"] }, "x".repeat(100_000)]) {
    const entry = { outcome: found(value), costMs: 3 };
    assert.deepEqual(decodeEntry(codec, encodeEntry(codec, entry)), entry);
  }
});

test("that there is none is read again with its message, and without anything else of the error", () => {
  const error = new AppError("not_found", "no such user", { fields: { id: 1 }, cause: new Error("select") });
  const entry = decodeEntry(codec, encodeEntry(codec, { outcome: { kind: "missing", error }, costMs: 0.2 }));
  assert.ok(entry?.outcome.kind === "missing" && hasCode(entry.outcome.error, "not_found"));
  assert.equal(entry.outcome.error.message, "no such user");
  assert.deepEqual([entry.outcome.error.fields, entry.outcome.error.cause, entry.costMs], [{}, undefined, 1]);
});

test("what another version wrote, and what the decoder refuses, is not read", () => {
  const written = encodeEntry(codec, { outcome: found("a"), costMs: 1 });
  assert.equal(decodeEntry({ ...codec, version: 8 }, written), undefined);
  const refusing = () => {
    throw new TypeError("not what it should be");
  };
  assert.equal(decodeEntry({ ...codec, decode: refusing }, written), undefined);
  const none = encodeEntry(codec, { outcome: missing("none"), costMs: 1 });
  assert.notEqual(decodeEntry({ ...codec, decode: refusing }, none), undefined);
});

test("whatever is changed in it, it is not read", (t) => {
  const random = seededRandom(t);
  const written = encodeEntry(codec, { outcome: found({ id: "a", version: 12 }), costMs: 25 });
  for (const text of ["", "07", "V", written.slice(1), `${written} `, written.slice(0, -1)]) {
    assert.equal(decodeEntry(codec, text), undefined);
  }
  for (let round = 0; round < 2000; round++) {
    const at = random.below(written.length);
    const changed = written.slice(0, at) + String.fromCharCode(32 + random.below(95)) + written.slice(at + 1);
    if (changed !== written) assert.equal(decodeEntry(codec, changed), undefined, changed);
  }
});
