import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../errors/index.ts";
import { decodeUtf8 } from "./utf8.ts";

test("F15: bytes that are not UTF-8 are refused, never replaced", () => {
  const malformed = [
    [0xff],
    [0xc3, 0x28],
    [0x80],
    [0xc3],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x98],
    [0xc0, 0xaf], // overlong
    [0xe0, 0x80, 0x80], // overlong NUL
    [0xed, 0xa0, 0x80], // a surrogate
    [0xf4, 0x90, 0x80, 0x80], // beyond U+10FFFF
    [0x7b, 0x22, 0xfe, 0x22, 0x7d],
  ];
  for (const bytes of malformed) {
    assert.throws(
      () => decodeUtf8(Uint8Array.from(bytes)),
      (thrown: unknown) => hasCode(thrown, "invalid") && thrown.violations[0]?.rule === "utf8",
    );
  }
});

test("text survives, with its byte order mark, out of any slice of a buffer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(3), (text, offset) => {
      const bytes = new TextEncoder().encode(`${"x".repeat(offset)}\ufeff${text}`);
      assert.equal(decodeUtf8(bytes.subarray(offset)), `\ufeff${text}`);
    }),
  );
  assert.equal(decodeUtf8(new Uint8Array()), "");
});
