import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";

const FIXTURE = fileURLToPath(new URL("service-process.fixture.ts", import.meta.url));
const MAIN = ["--conditions=parapet-source", "--import", import.meta.resolve("@parapet/dev/register"), FIXTURE];

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const) {
  test(`a test process that is ended by ${signal} takes what it has started with it`, async (t) => {
    const runner = spawn(process.execPath, MAIN, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => runner.kill("SIGKILL"));
    const [pid] = await once(runner.stdout, "data");
    assert.ok(isAlive(Number(pid)));
    runner.kill(signal);
    assert.deepEqual(await once(runner, "exit"), [code, null]);
    await eventually(() => !isAlive(Number(pid)));
  });
}
