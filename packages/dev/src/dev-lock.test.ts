import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hasCode } from "parapet/errors";
import { takeLock } from "./dev-lock.ts";
import { portOf } from "./ports.ts";

function lockFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "parapet-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "dev.lock");
}

const isConflict = (thrown: unknown) => hasCode(thrown, "conflict");

test("a lock is held by one at a time, and free again after its release", async (t) => {
  const file = lockFile(t);
  const first = await takeLock(file);
  await assert.rejects(() => takeLock(file), isConflict);
  first.release();
  const second = await takeLock(file);
  assert.equal(second.tookOver, false);
  second.release();
});

test("a lock of a process that is gone is taken over", async (t) => {
  const file = lockFile(t);
  // No system gives out numbers this large.
  writeFileSync(file, JSON.stringify({ pid: 2 ** 30, port: 1, token: "gone" }));
  const lock = await takeLock(file);
  assert.equal(lock.tookOver, true);
  lock.release();
});

test("a lock whose number another process has now, as after a container's restart, is taken over", async (t) => {
  const file = lockFile(t);
  writeFileSync(file, JSON.stringify({ pid: process.pid, port: 1, token: "of an earlier life" }));
  const lock = await takeLock(file);
  assert.equal(lock.tookOver, true);
  lock.release();
});

test("a holder that is suspended, and so takes connections and says nothing, still holds", async (t) => {
  const file = lockFile(t);
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  writeFileSync(file, JSON.stringify({ pid: process.pid, port: portOf(silent), token: "suspended" }));
  await assert.rejects(() => takeLock(file), isConflict);
});

test("a lock file that was never finished holds nobody", async (t) => {
  for (const text of ["", "{", "null", '{"pid":1}']) {
    const file = lockFile(t);
    writeFileSync(file, text);
    (await takeLock(file)).release();
  }
});
