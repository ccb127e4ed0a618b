import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BoundedSink } from "./bounded-sink.ts";

/** A stream that holds each chunk until the test says how it went. Like stdout, it survives its errors. */
class Held extends Writable {
  readonly chunks: string[] = [];
  #done: ((error?: Error | null) => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.chunks.push(chunk.toString());
    this.#done = done;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error);
    const undestroy: unknown = Reflect.get(this, "_undestroy");
    if (typeof undestroy === "function") undestroy.call(this);
  }

  /** Lets the chunk that is being written succeed, or fail with an error of this code. */
  async settle(code?: string): Promise<void> {
    this.#done?.(code === undefined ? null : Object.assign(new Error(code), { code }));
    await nextTurn();
    await nextTurn();
  }
}

test("lines of one turn of the event loop are one write", async () => {
  const out = new Held();
  const sink = new BoundedSink(out);
  sink.write("info", "a\n");
  await Promise.resolve();
  sink.write("info", "b\n");
  assert.deepEqual(out.chunks, []);
  await nextTurn();
  assert.deepEqual(out.chunks, ["a\nb\n"]);
});

test("one chunk is written at a time, and what came meanwhile goes together into the next", async () => {
  const out = new Held();
  const sink = new BoundedSink(out);
  sink.write("info", "a\n");
  await nextTurn();
  sink.write("info", "b\n");
  await nextTurn();
  sink.write("info", "c\n");
  await nextTurn();
  assert.deepEqual(out.chunks, ["a\n"]);
  await out.settle();
  assert.deepEqual(out.chunks, ["a\n", "b\nc\n"]);
});

test("a chunk is about what a pipe holds, whatever waits", async () => {
  const out = new Held();
  const sink = new BoundedSink(out);
  for (let index = 0; index < 2000; index++) sink.write("info", `${"x".repeat(99)}\n`);
  await nextTurn();
  assert.ok((out.chunks[0]?.length ?? 0) <= 65_536 + 100);
});

for (const code of ["ENOSPC", "EPIPE", "EAGAIN"]) {
  test(`after ${code} the same lines are written again, behind a new line, before newer ones`, async () => {
    const out = new Held();
    const sink = new BoundedSink(out);
    sink.write("info", "a\n");
    await nextTurn();
    await out.settle(code);
    sink.write("info", "b\n");
    await nextTurn();
    assert.deepEqual(out.chunks, ["a\n"], "it waits before it tries again");
    const flushed = sink.flush(1000);
    await out.settle(code);
    await flushed;
    const again = sink.flush(1000);
    await out.settle();
    await out.settle();
    await again;
    assert.deepEqual(out.chunks, ["a\n", "\na\n", "\na\n", "b\n"]);
    assert.equal(sink.dropped, 0);
  });
}

test("a stream that failed is tried again by itself", async () => {
  const out = new Held();
  const sink = new BoundedSink(out);
  sink.write("info", "a\n");
  await nextTurn();
  await out.settle("ENOSPC");
  const deadline = performance.now() + 10_000;
  // The retry does not keep a process alive; this does.
  while (out.chunks.length < 2 && performance.now() < deadline) await nextTurn();
  assert.deepEqual(out.chunks, ["a\n", "\na\n"]);
});

test("dropped lines are counted, and reported once there is room again", async () => {
  const out = new Held();
  const sink = new BoundedSink(out, { maxWaitingBytes: 1000 });
  const reports: number[] = [];
  sink.reportDropped((dropped) => reports.push(dropped));
  sink.write("info", "first\n");
  await nextTurn();
  for (let index = 0; index < 100; index++) sink.write("info", `${"x".repeat(49)}\n`);
  assert.ok(sink.dropped > 70 && sink.dropped < 100);
  assert.deepEqual(reports, []);
  await out.settle();
  await out.settle();
  await out.settle();
  assert.deepEqual(reports, [sink.dropped]);
});

test("flushing waits for what is written and what waits", async () => {
  const out = new Held();
  const sink = new BoundedSink(out);
  await sink.flush(1000);
  sink.write("info", "a\n");
  let flushed = false;
  const flushing = sink.flush(10_000).then(() => {
    flushed = true;
  });
  sink.write("info", "b\n");
  await nextTurn();
  assert.equal(flushed, false);
  await out.settle();
  await out.settle();
  await flushing;
  assert.deepEqual(out.chunks, ["a\n", "b\n"]);
});

test("flushing gives up when the time is over", async () => {
  const sink = new BoundedSink(new Held());
  sink.write("info", "a\n");
  const started = performance.now();
  await sink.flush(20);
  assert.ok(performance.now() - started < 5000);
});

test("at the very end it writes what the stream takes at once, and no more", async () => {
  const out = new Held();
  const sink = new BoundedSink(out);
  sink.write("info", "a\n");
  sink.flushNow();
  sink.write("info", "b\n");
  sink.flushNow();
  assert.deepEqual(out.chunks, ["a\n"]);
});

test("a format changes lines on their way out", async () => {
  const out = new Held();
  new BoundedSink(out, { format: (line) => line.toUpperCase() }).write("info", "a\n");
  await nextTurn();
  assert.deepEqual(out.chunks, ["A\n"]);
});
