import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineBuffer } from "./line-buffer.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";

const level = fc.constantFrom(...LOG_LEVELS);

function drained(buffer: LineBuffer): string[] {
  const chunks: string[] = [];
  for (let chunk = buffer.take(100); chunk !== undefined; chunk = buffer.take(100)) chunks.push(chunk.toString());
  return chunks.join("").split("\n").slice(0, -1);
}

function filled(levels: readonly LogLevel[]): { readonly lines: string[]; readonly dropped: number } {
  // Each line of 25 characters reserves 75 bytes until it is written.
  const buffer = new LineBuffer(1000);
  let dropped = 0;
  levels.forEach((each, index) => {
    dropped += buffer.push(each, `${each} ${index}`.padEnd(24, ".").concat("\n"));
  });
  return { lines: drained(buffer).map((line) => line.replace(/\.+$/, "")), dropped };
}

test("an empty buffer has nothing to take", () => {
  assert.equal(new LineBuffer(1000).take(100), undefined);
});

test("lines come out whole, in the order they came in, some at a time", () => {
  const buffer = new LineBuffer(1000);
  buffer.push("info", "one\n");
  buffer.push("error", "zwölf\n");
  buffer.push("debug", "three\n");
  assert.equal(buffer.take(5)?.toString(), "one\nzwölf\n");
  buffer.push("info", "four\n");
  assert.deepEqual(drained(buffer), ["three", "four"]);
});

test("a chunk stays as it was taken while lines come after it", () => {
  const buffer = new LineBuffer(1000);
  buffer.push("info", "first\n");
  const chunk = buffer.take(100);
  buffer.push("info", "later\n");
  assert.equal(chunk?.toString(), "first\n");
});

test("a full buffer drops its oldest lines", () => {
  const { lines, dropped } = filled(Array.from({ length: 100 }, () => "info"));
  assert.equal(lines.at(-1), "info 99");
  assert.equal(lines.at(0), `info ${dropped}`);
  assert.equal(lines.length + dropped, 100);
  assert.ok(lines.length >= 30, "it is nearly full");
});

test("lower levels are dropped before higher ones, wherever they stand", () => {
  const levels = Array.from({ length: 60 }, (_, index): LogLevel => (index % 4 === 0 ? "error" : "debug"));
  const { lines, dropped } = filled(levels);
  const errors = lines.filter((line) => line.startsWith("error"));
  assert.equal(errors.length, 15, "every error is still there");
  assert.equal(lines.length + dropped, 60);
  assert.equal(lines.at(-1), "debug 59");
});

test("a line that finds only more important ones is dropped itself", () => {
  const { lines, dropped } = filled([...Array.from({ length: 38 }, (): LogLevel => "error"), "debug", "warn"]);
  assert.deepEqual([lines.length, dropped, lines.at(-1)], [38, 2, "error 37"]);
});

test("a line larger than the buffer is dropped, the others stay", () => {
  const buffer = new LineBuffer(100);
  buffer.push("info", "small\n");
  assert.equal(buffer.push("error", `${"x".repeat(200)}\n`), 1);
  assert.deepEqual(drained(buffer), ["small"]);
});

test("it knows when at least half of it is free", () => {
  const buffer = new LineBuffer(100);
  buffer.push("info", `${"x".repeat(30)}\n`);
  assert.equal(buffer.isHalfFree, true);
  buffer.push("info", `${"x".repeat(20)}\n`);
  assert.equal(buffer.isHalfFree, false);
});

test("whatever comes and goes: order holds, lines stay whole, and each is either taken or counted as dropped", () => {
  const step = fc.oneof(
    fc.record({ level, size: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 300 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const buffer = new LineBuffer(600);
      const taken: string[] = [];
      let pushed = 0;
      let dropped = 0;
      for (const each of steps) {
        if ("take" in each) taken.push(buffer.take(each.take)?.toString() ?? "");
        else dropped += buffer.push(each.level, `${pushed++} ${"é".repeat(each.size)}\n`);
      }
      const lines = [...taken.join("").split("\n").slice(0, -1), ...drained(buffer)];
      const numbers = lines.map((line) => Number(/^(\d+) é*$/.exec(line)?.[1]));
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
      assert.equal(new Set(numbers).size + dropped, pushed);
    }),
  );
});
