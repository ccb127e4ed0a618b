import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Terminal } from "./terminal.ts";

test("every line says whose it is, also those of a text with several", async () => {
  const out = new PassThrough({ encoding: "utf8" });
  const terminal = new Terminal({ out, colour: false, names: ["users", "longer-name"] });
  const output = new PassThrough();
  terminal.follow("users", output);
  output.end("one\ntwo");
  await turn();
  terminal.say("first\nsecond");
  assert.equal(out.read(), "users       | one\nusers       | two\nparapet     | first\nparapet     | second\n");
});

test("while the screen is slow a process's output waits, and goes on when the screen does", async () => {
  const pending: (() => void)[] = [];
  const out = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => pending.push(done) });
  const output = new PassThrough();
  new Terminal({ out, colour: false, names: ["users"] }).follow("users", output);
  output.write("one\n");
  await turn();
  assert.equal(output.isPaused(), true);
  pending.shift()?.();
  await turn();
  assert.equal(output.isPaused(), false);
});
