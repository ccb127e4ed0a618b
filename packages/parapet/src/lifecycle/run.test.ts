import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfig } from "../config/index.ts";
import { lifecycleConfig } from "./lifecycle-config.ts";

const FIXTURE = fileURLToPath(new URL("./run.fixture.ts", import.meta.url));
// Not this process's own flags: newer test runners pass dozens to their children, a report at each SIGUSR2 among them.
const FLAGS = ["--conditions=parapet-source", "--import", import.meta.resolve("@parapet/dev/register")];
const PATIENCE_MS = 30_000;

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly component?: string;
  readonly limit_ms?: number;
  readonly [field: string]: unknown;
}

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The fixture's process, with what it logs. */
class Fixture {
  readonly lines: Line[] = [];
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;

  constructor(t: TestContext, env: Record<string, string>, args: readonly string[]) {
    this.child = spawn(process.execPath, [...FLAGS, FIXTURE, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    t.after(() => this.child.kill("SIGKILL"));
    this.exited = once(this.child, "close").then(([code, signal]) => ({ code, signal }));
    this.child.stderr?.on("data", (chunk) => {
      this.stderr += chunk;
    });
    if (this.child.stdout !== null) createInterface(this.child.stdout).on("line", (line) => this.#read(line));
  }

  /** The steps that were asked of the components, in order. */
  get steps(): string[] {
    return this.lines.flatMap(({ msg, component }) =>
      ["start", "drain", "stop"].includes(msg) ? [`${msg} ${component}`] : [],
    );
  }

  line(msg: string): Line | undefined {
    return this.lines.find((line) => line.msg === msg);
  }

  /** Waits until a line says this, of this component. */
  says(msg: string, component?: string): Promise<void> {
    return this.until(() => this.lines.some((line) => line.msg === msg && line.component === component));
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      assert.ok(performance.now() < deadline && this.child.exitCode === null, `${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Waits for its exit, and gives how long that took. */
  async exits(code: number): Promise<number> {
    const begin = performance.now();
    assert.deepEqual(await this.exited, { code, signal: null }, `${this.stdout}${this.stderr}`);
    return performance.now() - begin;
  }

  #read(line: string): void {
    this.stdout += `${line}\n`;
    if (line.startsWith("{")) this.lines.push(JSON.parse(line));
  }
}

const started = async (t: TestContext, scenario: string, env: Record<string, string> = {}): Promise<Fixture> => {
  const fixture = new Fixture(t, { ...env, SCENARIO: scenario }, []);
  await fixture.says("start", "second");
  return fixture;
};

const called = (t: TestContext, ...args: string[]) => new Fixture(t, { SCENARIO: "commands" }, args);

const within = (ms: number, limitMs: number) => assert.ok(ms <= limitMs, `${ms} ms, at most ${limitMs}`);

test("components start left to right, drain together, stop right to left, and the exit code is 0", async (t) => {
  const fixture = await started(t, "plain");
  fixture.child.kill("SIGTERM");
  await fixture.exits(0);
  assert.deepEqual(fixture.steps, [
    "start first",
    "start second",
    "drain first",
    "drain second",
    "stop second",
    "stop first",
  ]);
  assert.deepEqual(fixture.line("starting")?.components, ["first", "second"]);
  assert.equal(fixture.line("shutting down")?.signal, "SIGTERM");
  assert.equal(fixture.line("stopped")?.exit_code, 0);
  assert.equal(typeof fixture.line("stopped")?.duration_ms, "number");
  assert.equal(fixture.line("shutdown forced"), undefined);
});

test("SIGINT ends a service as SIGTERM does", async (t) => {
  const fixture = await started(t, "plain");
  fixture.child.kill("SIGINT");
  await fixture.exits(0);
  assert.equal(fixture.line("shutting down")?.signal, "SIGINT");
});

test("each step has a limit, and all of them together end 2 s before the grace period", async (t) => {
  const fixture = await started(t, "plain");
  fixture.child.kill("SIGTERM");
  await fixture.exits(0);
  const limits = fixture.lines.filter(({ limit_ms }) => limit_ms !== undefined).map(({ limit_ms }) => limit_ms ?? 0);
  const [startFirst, , drainFirst, , stopFirst] = limits;
  within(startFirst ?? 0, 10_000);
  within(drainFirst ?? 0, 22_500);
  assert.ok((drainFirst ?? 0) > 20_000);
  within(stopFirst ?? 0, 2000);
});

test("A7: a signal while a component starts cancels that, stops what was begun, and ends within 2 s", async (t) => {
  for (const scenario of ["startsSlowly", "neverStarts"]) {
    const fixture = await started(t, scenario);
    fixture.child.kill("SIGTERM");
    within(await fixture.exits(0), 2000);
    assert.deepEqual(fixture.steps, ["start first", "start second", "stop second", "stop first"]);
  }
});

test("a start that fails stops what was begun, right to left, says why in one line, and the exit code is 1", async (t) => {
  const fixture = await started(t, "failsToStart");
  await fixture.exits(1);
  assert.deepEqual(fixture.steps, ["start first", "start second", "stop second", "stop first"]);
  const errors = fixture.lines.filter(({ level }) => level === "error");
  assert.equal(errors.length, 1);
  assert.equal(errors[0]?.msg, "component did not start");
  assert.equal(errors[0]?.component, "second");
  assert.match(JSON.stringify(errors[0]?.error), /the port is in use/);
});

test("what drains and stops abort is added up in one line, and the exit code is 1", async (t) => {
  const fixture = await started(t, "aborts");
  fixture.child.kill("SIGTERM");
  await fixture.exits(1);
  const forced = fixture.lines.filter(({ msg }) => msg === "shutdown forced");
  assert.equal(forced.length, 1);
  assert.equal(forced[0]?.event, "shutdown.forced");
  assert.deepEqual(forced[0]?.aborted, { http: 2, tx: 2 });
  assert.equal(fixture.line("stopped")?.exit_code, 1);
});

test("a drain that fails is logged and counted, and keeps nothing from being stopped", async (t) => {
  const fixture = await started(t, "failsToDrain");
  fixture.child.kill("SIGTERM");
  await fixture.exits(1);
  assert.match(JSON.stringify(fixture.line("component did not drain")?.error), /a bug in a drain/);
  assert.deepEqual(fixture.line("shutdown forced")?.aborted, { components: 1 });
  assert.deepEqual(fixture.steps.slice(-2), ["stop second", "stop first"]);
});

test("a stop that never settles is left behind after 2 s, and the next one is stopped", async (t) => {
  const fixture = await started(t, "neverStops");
  fixture.child.kill("SIGTERM");
  within(await fixture.exits(1), 4000);
  assert.deepEqual(fixture.steps.slice(-2), ["stop second", "stop first"]);
  assert.deepEqual(fixture.line("shutdown forced")?.aborted, { components: 1 });
});

test("whatever hangs, the process is gone 2 s before the grace period ends", async (t) => {
  const fixture = await started(t, "isStuck", { GRACE_MS: "4000" });
  fixture.child.kill("SIGTERM");
  within(await fixture.exits(1), 2000);
  assert.deepEqual(fixture.line("shutdown forced")?.aborted, { components: 3 });
});

test("A6: a second signal aborts in order, and the exit code is 1 within 1 s", async (t) => {
  const fixture = await started(t, "drainsSlowly");
  fixture.child.kill("SIGTERM");
  await fixture.says("drain", "second");
  fixture.child.kill("SIGINT");
  within(await fixture.exits(1), 1000);
  assert.deepEqual(fixture.steps.slice(-2), ["stop second", "stop first"]);
  assert.deepEqual(fixture.line("shutdown forced")?.aborted, { http: 1 });
});

test("A6: a second signal ends a process in which everything hangs, within 1 s too", async (t) => {
  const fixture = await started(t, "isStuck");
  fixture.child.kill("SIGTERM");
  await fixture.says("drain", "second");
  fixture.child.kill("SIGTERM");
  within(await fixture.exits(1), 1000);
});

test("A12: an uncaught exception is logged once with its stack, work in flight finishes, the exit code is 1", async (t) => {
  const fixture = await started(t, "drainsInTime");
  fixture.child.send("throw");
  await fixture.exits(1);
  const errors = fixture.lines.filter(({ level }) => level === "error");
  assert.equal(errors.length, 1);
  assert.equal(errors[0]?.msg, "uncaught exception");
  assert.equal(errors[0]?.origin, "uncaughtException");
  assert.match(JSON.stringify(errors[0]?.error), /poison.*run\.fixture/);
  assert.deepEqual(fixture.steps.slice(2), ["drain first", "drain second", "stop second", "stop first"]);
  within(fixture.line("drain")?.limit_ms ?? 0, 4000);
});

test("A12: an unhandled rejection ends the process as an uncaught exception does", async (t) => {
  const fixture = await started(t, "plain");
  fixture.child.send("reject");
  await fixture.exits(1);
  const line = fixture.line("uncaught exception");
  assert.equal(line?.origin, "unhandledRejection");
  assert.match(JSON.stringify(line?.error), /poison.*run\.fixture/);
  assert.deepEqual(fixture.steps.slice(-2), ["stop second", "stop first"]);
});

test("A12: an uncaught exception while starting stops what was begun, and the exit code is 1", async (t) => {
  const fixture = await started(t, "startsSlowly");
  fixture.child.send("throw");
  within(await fixture.exits(1), 2000);
  assert.deepEqual(fixture.steps, ["start first", "start second", "stop second", "stop first"]);
});

test("A12: an uncaught exception while draining leaves the drain 2 s, and the exit code is 1", async (t) => {
  const fixture = await started(t, "drainsSlowly");
  fixture.child.kill("SIGTERM");
  await fixture.says("drain", "second");
  fixture.child.send("throw");
  within(await fixture.exits(1), 4000);
  assert.deepEqual(fixture.line("shutdown forced")?.aborted, { http: 1 });
});

test("A12: a second uncaught exception ends the process at once", async (t) => {
  const fixture = await started(t, "neverDrains");
  fixture.child.send("throw");
  await fixture.says("drain", "second");
  fixture.child.send("throw");
  within(await fixture.exits(1), 1000);
  assert.equal(fixture.lines.filter(({ msg }) => msg === "uncaught exception").length, 2);
  assert.equal(fixture.line("stopped"), undefined);
});

test("a component that can't go on ends the process with its error and exit code 1", async (t) => {
  const fixture = await started(t, "saysItFails");
  fixture.child.send("fail");
  await fixture.exits(1);
  const line = fixture.line("component failed");
  assert.equal(line?.component, "second");
  assert.match(JSON.stringify(line?.error), /the broker is gone/);
  assert.deepEqual(fixture.steps.slice(-2), ["stop second", "stop first"]);
});

test("settings that nobody set are the defaults", () => {
  assert.deepEqual(parseConfig(lifecycleConfig, {}), { shutdownGraceMs: 30_000 });
  assert.throws(() => parseConfig(lifecycleConfig, { SHUTDOWN_GRACE_MS: "2000" }), /SHUTDOWN_GRACE_MS/);
});

test("SIGUSR2 switches between debug and the configured level, and says so whatever that is", async (t) => {
  const fixture = await started(t, "plain", { LEVEL: "warn" });
  const changes = () => fixture.lines.filter(({ msg }) => msg === "log level changed");
  for (const level of ["debug", "warn"]) {
    const before = changes().length;
    fixture.child.kill("SIGUSR2");
    await fixture.until(() => changes().length > before);
    assert.deepEqual(
      changes()
        .map((line) => line.to)
        .at(-1),
      level,
    );
  }
  fixture.child.kill("SIGTERM");
  await fixture.exits(0);
  assert.equal(fixture.line("shutting down"), undefined);
});

test("an unknown verb, or one too many, is answered with the list of verbs and exit code 64", async (t) => {
  for (const args of [["serve"], ["migrate", "now"], ["--port=1"]]) {
    const fixture = called(t, ...args);
    await fixture.exits(64);
    assert.match(fixture.stderr, new RegExp(`unknown arguments: ${args.join(" ")}\n`));
    for (const verb of ["--help", "--print-config", "migrate", "health"]) assert.match(fixture.stderr, RegExp(verb));
    assert.deepEqual(fixture.steps, []);
  }
});

test("--help lists the verbs", async (t) => {
  const fixture = called(t, "--help");
  await fixture.exits(0);
  assert.match(fixture.stdout, /--print-config .*\n.*migrate +a command of first/);
  assert.equal(fixture.stderr, "");
});

test("--print-config shows the settings with their sources, secrets masked, and starts nothing", async (t) => {
  const fixture = called(t, "--print-config");
  await fixture.exits(0);
  assert.match(fixture.stdout, /LIMIT=7 +default/);
  assert.match(fixture.stdout, /DATABASE_URL=postgres:.* +environment/);
  assert.doesNotMatch(fixture.stdout, /a-secret-password/);
  assert.deepEqual(fixture.steps, []);
});

test("a command runs without starting anything; the exit code says whether it succeeded", async (t) => {
  const migrate = called(t, "migrate");
  await migrate.exits(0);
  assert.ok(migrate.line("migrated"));
  assert.deepEqual(migrate.steps, []);
  const fail = called(t, "fail");
  await fail.exits(1);
  assert.equal(fail.line("command failed")?.command, "fail");
  assert.match(JSON.stringify(fail.line("command failed")?.error), /the server is away/);
});

test("lines that still wait for stdout are written before the exit", async (t) => {
  const fixture = called(t, "chatter");
  await fixture.exits(0);
  assert.equal(fixture.lines.filter(({ msg }) => msg === "chatter").length, 5000);
});

test("a health check has 5 s", async (t) => {
  const fixture = called(t, "health");
  await fixture.exits(0);
  const limit = fixture.line("checked")?.limit_ms ?? 0;
  assert.ok(limit > 4000 && limit <= 5000);
});

test("A7: a signal cancels a command, which has 1.5 s to roll back; the exit code is the signal's", async (t) => {
  for (const command of ["wait", "hang"]) {
    const fixture = called(t, command);
    await fixture.says("waiting");
    fixture.child.kill("SIGTERM");
    within(await fixture.exits(143), 2000);
  }
  const interrupted = called(t, "wait");
  await interrupted.says("waiting");
  interrupted.child.kill("SIGINT");
  within(await interrupted.exits(130), 2000);
});

test("A7: a command that finishes in spite of the signal has succeeded", async (t) => {
  const fixture = called(t, "finish");
  await fixture.says("waiting");
  fixture.child.kill("SIGTERM");
  within(await fixture.exits(0), 2000);
});

test("an uncaught exception cancels a command; the exit code is 1, even when the command finishes", async (t) => {
  for (const command of ["finish", "hang"]) {
    const fixture = called(t, command);
    await fixture.says("waiting");
    fixture.child.send("throw");
    within(await fixture.exits(1), 2000);
    assert.match(JSON.stringify(fixture.line("uncaught exception")?.error), /poison/);
  }
});

test("two components with the same verb are a bug", async (t) => {
  const fixture = new Fixture(t, { SCENARIO: "clashes" }, ["--help"]);
  await fixture.exits(1);
  assert.match(fixture.stderr, /two components add the same verb/);
});
