import assert from "node:assert/strict";
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

const room = JSON.stringify(new URL("./index.ts", import.meta.url));
const MIB = 1024 * 1024;

/** Logs lines of some 300 bytes every 5 ms, tells how it fares when asked, and ends when told, as a service would. */
const chatty = (linesAtOnce: number) => `
  import { createLogger, droppedLines, flushLogs } from ${room};
  const log = createLogger({ service: "child", level: "info" });
  const padding = "x".repeat(200);
  let logged = 0;
  const timer = setInterval(() => {
    for (let line = 0; line < ${linesAtOnce}; line++) log.info("line", { number: logged++, padding });
  }, 5);
  process.on("message", async (message) => {
    if (message === "stats") return process.send({ logged, dropped: droppedLines(), rss: process.memoryUsage.rss() });
    clearInterval(timer);
    const started = performance.now();
    await flushLogs(500);
    process.send({ logged, dropped: droppedLines(), flushMs: performance.now() - started }, () => process.exit(0));
  });`;

interface Stats {
  readonly logged: number;
  readonly dropped: number;
  readonly rss: number;
  readonly flushMs: number;
}

function start(t: TestContext, program: string, stdout: "pipe" | number): ChildProcess {
  const stdio: StdioOptions = ["ignore", stdout, "ignore", "ipc"];
  const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "--eval", program], { stdio });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

async function ask(child: ChildProcess, message: "stats" | "end"): Promise<Stats> {
  child.send(message);
  const [stats] = await once(child, "message", { signal: AbortSignal.timeout(20_000) });
  return stats;
}

/** Asks until it is so; fails after 20 s. */
async function until(child: ChildProcess, isSo: (stats: Stats) => boolean): Promise<Stats> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const stats = await ask(child, "stats");
    if (isSo(stats)) return stats;
    assert.ok(performance.now() < deadline, `still ${JSON.stringify(stats)}`);
    await pause(20);
  }
}

async function end(child: ChildProcess): Promise<Stats> {
  const exited = once(child, "exit");
  const stats = await ask(child, "end");
  assert.deepEqual(await exited, [0, null]);
  return stats;
}

function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

function assertInOrder(lines: readonly Record<string, unknown>[]): void {
  const numbers = lines.flatMap(({ number }) => (typeof number === "number" ? [number] : []));
  assert.ok(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? number)));
}

/** How many lines the log itself says were dropped. */
function reportedIn(lines: readonly Record<string, unknown>[]): number {
  return lines
    .filter(({ msg }) => msg === "log lines were dropped")
    .reduce((sum, { dropped_lines }) => sum + Number(dropped_lines), 0);
}

async function textOf(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return text;
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "parapet-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a reader that stops costs lines, not the service: no freeze, no growth, and all that was kept arrives whole", async (t) => {
  const child = start(t, chatty(50), "pipe");
  assert.ok(child.stdout);
  const before = await until(child, ({ logged }) => logged > 5000);
  const stalled = await until(child, ({ dropped }) => dropped > 10_000);
  assert.ok(stalled.rss - before.rss < (4 + 16) * MIB, `grew by ${(stalled.rss - before.rss) / MIB} MiB`);
  const arriving = textOf(child.stdout);
  await until(child, ({ logged }) => logged > stalled.logged + 5000);
  const { logged, dropped } = await end(child);
  const lines = linesOf(await arriving);
  assertInOrder(lines);
  assert.equal(reportedIn(lines), dropped);
  assert.equal(lines.filter(({ msg }) => msg === "line").length, logged - dropped);
});

test("a process ends on time though nobody reads its log", async (t) => {
  const child = start(t, chatty(200), "pipe");
  await until(child, ({ dropped }) => dropped > 0);
  const { flushMs } = await end(child);
  assert.ok(flushMs < 3000);
});

test("a reader that dies costs lines, not the service", async (t) => {
  const child = start(t, chatty(200), "pipe");
  await until(child, ({ logged }) => logged > 500);
  child.stdout?.destroy();
  const { dropped, logged } = await until(child, (stats) => stats.dropped > 5000);
  assert.ok(logged > dropped);
  const { flushMs } = await end(child);
  assert.ok(flushMs < 3000);
});

test("a reader that returns gets what was kept, and hears how much was not", async (t) => {
  const fifo = join(temporaryFolder(t), "log");
  if (spawnSync("mkfifo", [fifo]).status !== 0) return t.skip("needs mkfifo");
  const openReader = () => openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const first = openReader();
  const out = openSync(fifo, "w");
  const child = start(t, chatty(200), out);
  closeSync(out);
  await until(child, ({ logged }) => logged > 500);
  closeSync(first);
  const { logged: loggedAlone } = await until(child, ({ dropped }) => dropped > 5000);
  const arriving = textOf(new Socket({ fd: openReader(), readable: true, writable: false }));
  await until(child, ({ logged }) => logged > loggedAlone + 5000);
  const { dropped } = await end(child);
  const lines = linesOf(await arriving);
  assertInOrder(lines);
  assert.equal(reportedIn(lines), dropped);
});

test("a full disk costs lines, not the service", async (t) => {
  if (!existsSync("/dev/full")) return t.skip("needs /dev/full");
  const full = openSync("/dev/full", "w");
  const child = start(t, chatty(200), full);
  closeSync(full);
  await until(child, ({ dropped }) => dropped > 5000);
  const { flushMs } = await end(child);
  assert.ok(flushMs < 3000);
});

for (const to of ["pipe", "file"] as const) {
  test(`what was logged right before process.exit arrives in a ${to}`, async (t) => {
    const program = `
      import { createLogger } from ${room};
      const log = createLogger({ service: "child", level: "info" });
      for (let number = 0; number < 100; number++) log.info("line", { number });
      process.exit(3);`;
    const path = join(temporaryFolder(t), "log");
    const file = openSync(path, "w");
    const child = start(t, program, to === "pipe" ? "pipe" : file);
    closeSync(file);
    const arriving = child.stdout ? textOf(child.stdout) : undefined;
    assert.deepEqual(await once(child, "exit"), [3, null]);
    assert.equal(linesOf((await arriving) ?? readFileSync(path, "utf8")).length, 100);
  });
}

test("what was logged right before a crash arrives", async (t) => {
  const program = `
    import { createLogger } from ${room};
    createLogger({ service: "child", level: "info" }).error("about to crash");
    queueMicrotask(() => { throw new Error("crash"); });`;
  const child = start(t, program, "pipe");
  assert.ok(child.stdout);
  const [line] = linesOf(await textOf(child.stdout));
  assert.equal(line?.msg, "about to crash");
});
