import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { toDateTime } from "./date-time.ts";

test("every instant reads as the language has it, in whatever year", () => {
  const anyInstant = fc.date({ noInvalidDate: true });
  const ofFourDigits = fc.date({ min: new Date("0000-12-31"), max: new Date("+010000-01-02"), noInvalidDate: true });
  for (const date of [anyInstant, ofFourDigits])
    fc.assert(
      fc.property(date, (date) => assert.equal(toDateTime(date), date.toISOString())),
      { numRuns: 1000 },
    );
});

test("every day of four hundred years, its first and its last moment", () => {
  const dayMs = 86_400_000;
  for (let ms = Date.UTC(1999, 11, 31); ms < Date.UTC(2401, 0, 1); ms += dayMs)
    for (const date of [new Date(ms), new Date(ms + dayMs - 1)]) assert.equal(toDateTime(date), date.toISOString());
});

test("a date that is none has no text", () => {
  assert.throws(() => toDateTime(new Date(Number.NaN)), RangeError);
});
