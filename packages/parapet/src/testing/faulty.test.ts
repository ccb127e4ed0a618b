import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import { faulty } from "./faulty.ts";
import { testContext } from "./test-context.ts";

class Counter {
  readonly unit = "apples";
  #count = 0;

  get count(): number {
    return this.#count;
  }

  async add(_ctx: Context, n: number): Promise<number> {
    this.#count += n;
    return this.#count;
  }

  async total(): Promise<number> {
    return this.#count;
  }
}

const away = new AppError("unavailable", "the counter is away");

test("calls and properties pass through to the port", async () => {
  const counter = faulty(new Counter());
  assert.equal(await counter.add(testContext(), 2), 2);
  assert.equal(await counter.total(), 2);
  assert.equal(counter.count, 2);
  assert.equal(counter.unit, "apples");
});

test("the call that was told to fail fails without doing anything, the next one works", async () => {
  const counter = faulty(new Counter());
  counter.failNext("add", away);
  await assert.rejects(counter.add(testContext(), 1), away);
  assert.equal(await counter.total(), 0);
  assert.equal(await counter.add(testContext(), 1), 1);
});

test("faults are used up in order, method by method", async () => {
  const counter = faulty(new Counter());
  const other = new AppError("timeout", "the counter is slow");
  counter.failNext("add", away);
  counter.failNext("add", other);
  assert.equal(await counter.total(), 0);
  await assert.rejects(counter.add(testContext(), 1), away);
  await assert.rejects(counter.add(testContext(), 1), other);
});

test("a stalled call waits until its context is done, and does nothing", async () => {
  const counter = faulty(new Counter());
  const ctx = testContext();
  const stalled = counter.stallNext("add");
  const call = counter.add(ctx, 1);
  await stalled;
  const gone = new AppError("canceled", "the caller is gone");
  ctx.cancel(gone);
  await assert.rejects(call, gone);
  assert.equal(await counter.total(), 0);
});

test("a stalled call obeys a deadline", async () => {
  const counter = faulty(new Counter());
  const stalled = counter.stallNext("add");
  await assert.rejects(
    withTimeout(testContext(), 100, (ctx) => counter.add(ctx, 1)),
    (thrown) => hasCode(thrown, "timeout"),
  );
  await stalled;
});

test("a method without a context can't stall, and says so", async () => {
  const counter = faulty(new Counter());
  counter.stallNext("total");
  await assert.rejects(counter.total(), /takes a context first/);
});

test("the arguments of every call are kept, also of those that failed", async () => {
  const counter = faulty(new Counter());
  assert.deepEqual(counter.callsOf("add"), []);
  counter.failNext("add", away);
  await assert.rejects(counter.add(testContext(), 1));
  await counter.add(testContext(), 2);
  const amounts: number[] = counter.callsOf("add").map(([, n]) => n);
  assert.deepEqual(amounts, [1, 2]);
});

test("a frozen port of plain functions can be faulty too", async () => {
  const port = faulty(Object.freeze({ ping: async () => "pong" }));
  assert.equal(await port.ping(), "pong");
  port.failNext("ping", away);
  await assert.rejects(port.ping(), away);
});
