import assert from "node:assert/strict";
import test from "node:test";
import { FailureWindow } from "./failure-window.ts";

/** A window with `successes` and `failures`, one of the other in turn, from `atMs` on, a call every millisecond. */
function windowOf(successes: number, failures: number, atMs = 0): FailureWindow {
  const window = new FailureWindow();
  for (let call = 0; call < Math.max(successes, failures); call++) {
    if (call < failures) window.failure(atMs + call);
    if (call < successes) window.success(atMs + call);
  }
  return window;
}

test("a window without a call does not fail", () => {
  assert.equal(new FailureWindow().isFailing(0), false);
});

test("four failures in a row are none too many, five are", () => {
  const window = windowOf(0, 4);
  assert.equal(window.isFailing(4), false);
  window.failure(5);
  assert.equal(window.isFailing(5), true);
});

test("a success ends a row of failures", () => {
  const window = windowOf(0, 4);
  window.success(4);
  for (let call = 0; call < 4; call++) window.failure(5 + call);
  assert.equal(window.isFailing(10), false);
});

test("half of twenty calls fail it, half of nineteen do not", () => {
  assert.equal(windowOf(10, 10).isFailing(20), true);
  assert.equal(windowOf(10, 9).isFailing(20), false);
  assert.equal(windowOf(11, 10).isFailing(20), false);
});

test("calls are forgotten after a second", () => {
  const window = windowOf(10, 10);
  assert.equal(window.isFailing(950), true);
  assert.equal(window.isFailing(1020), false);
  assert.equal(windowOf(10, 10, 123_456).isFailing(123_956), true);
});

test("a row of failures counts however long it takes", () => {
  const window = new FailureWindow();
  for (let call = 0; call < 5; call++) window.failure(call * 5000);
  assert.equal(window.isFailing(20_000), true);
});
