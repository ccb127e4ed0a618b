import assert from "node:assert/strict";
import test from "node:test";
import { withTimeout } from "../context/index.ts";
import { hasCode } from "../errors/index.ts";
import { testContext } from "../testing/test-context.ts";
import { AnswerClock } from "./answer-clock.ts";

const never = () => new Promise<never>(() => {});

/** Keeps the process from doing anything else. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("an answer is given, and a failure thrown", async () => {
  const [ctx, clock] = [testContext(), new AnswerClock()];
  assert.equal(await clock.answerOf(ctx, 100, Promise.resolve(7)), 7);
  await assert.rejects(clock.answerOf(ctx, 100, Promise.reject(new TypeError("no"))), TypeError);
});

test("no answer is waited for longer than was said, to the tick", async () => {
  const [ctx, clock] = [testContext(), new AnswerClock()];
  const startedAt = performance.now();
  await assert.rejects(clock.answerOf(ctx, 100, never()), (error) => hasCode(error, "timeout"));
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs >= 74 && waitedMs < 300, `waited ${waitedMs} ms`);
});

test("a caller whose context ends while it waits hears so at once", async () => {
  const [ctx, clock] = [testContext(), new AnswerClock()];
  const startedAt = performance.now();
  const waiting = withTimeout(ctx, 5, (inner) => clock.answerOf(inner, 5000, never()));
  await assert.rejects(waiting, (error) => hasCode(error, "timeout") && error.message === "the deadline passed");
  assert.ok(performance.now() - startedAt < 200);
});

test("the time in which the process was too busy to read does not count", async () => {
  const [ctx, clock] = [testContext(), new AnswerClock()];
  const answer = new Promise<number>((resolve) => setTimeout(() => setTimeout(resolve, 10, 7), 1));
  const waiting = clock.answerOf(ctx, 100, answer);
  block(250);
  assert.equal(await waiting, 7);
});
