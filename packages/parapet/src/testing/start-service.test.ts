import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { AppError } from "../errors/index.ts";
import { exchange } from "./http-exchange.ts";
import { type ServiceProcess, startProcess } from "./service-process.ts";
import { type Service, startService } from "./start-service.ts";

// Valid as JavaScript and as TypeScript.
const SERVICE = `
import { createServer } from "node:http";
const errors = [];
process.stdout.on("error", ({ code }) => errors.push(code));
const log = (msg, fields) => process.stdout.write(JSON.stringify({ level: "info", msg, ...fields }) + "\\n");
if (process.argv[2] === "version") {
  console.log("version 1.2.3\\n{ not json");
  process.exit(3);
}
if (process.env.BROKEN !== undefined) {
  console.error("BROKEN must not be set");
  process.exit(78);
}
const server = createServer((request, response) => {
  if (request.url === "/flood") for (let i = 0; i < 2000; i++) log("x".repeat(1000));
  const state = { env: process.env, cwd: process.cwd(), errors, backlog: process.stdout.writableLength };
  response.end(JSON.stringify(state));
});
process.on("SIGTERM", () => {
  log("stopping");
  if (process.env.STUBBORN !== undefined) return;
  server.close();
  server.closeAllConnections();
});
server.listen(process.env.PORT, "127.0.0.1", () => log("listening", { port: server.address().port }));
`;

async function serviceFile(t: TestContext, name: string, folder = tmpdir()): Promise<string> {
  const made = await mkdtemp(join(folder, ".parapet-service-"));
  t.after(() => rm(made, { recursive: true }));
  await writeFile(join(made, name), SERVICE);
  return join(made, name);
}

interface State {
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly errors: string[];
  readonly backlog: number;
}

async function ask({ port }: Service, path = "/"): Promise<State> {
  return JSON.parse((await exchange({ host: "127.0.0.1", port, path, agent: false }, undefined)).body);
}

function isAlive({ pid }: ServiceProcess): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a bundle runs as a process of its own, is reachable at its url, and its lines can be read", async (t) => {
  const service = await startService(t, await serviceFile(t, "server.mjs"));
  assert.equal(service.url, `http://127.0.0.1:${service.port}`);
  assert.notEqual(service.pid, process.pid);
  assert.deepEqual((await ask(service)).errors, []);
  assert.deepEqual(service.lines, [{ level: "info", msg: "listening", port: service.port }]);
  service.kill();
  const { code, signal, ms } = await service.exited;
  assert.deepEqual([code, signal], [0, null]);
  assert.ok(ms > 0 && ms < 5_000, `${ms} ms`);
  assert.equal((await service.line("stopping")).msg, "stopping");
});

test("TypeScript runs from source, given by path or URL", async (t) => {
  const modules = fileURLToPath(new URL("../../../../node_modules/", import.meta.url));
  const main = await serviceFile(t, "main.ts", modules);
  await startService(t, main);
  await startService(t, new URL(`file://${main}`), { cwd: tmpdir() });
});

test("a whole command runs as it is", async (t) => {
  const main = await serviceFile(t, "server.mjs");
  const service = await startService(t, ["/bin/sh", "-c", 'exec "$@"', "sh", process.execPath, main]);
  assert.deepEqual((await ask(service)).errors, []);
});

test("the process sees no more of the environment than it is given", async (t) => {
  const main = await serviceFile(t, "server.mjs");
  const service = await startService(t, main, { env: { LOG_LEVEL: "warn" }, cwd: "/" });
  const { env, cwd } = await ask(service);
  assert.deepEqual(Object.keys(env).sort(), ["LOG_LEVEL", "PATH", "PORT"]);
  assert.equal(cwd, "/");
});

test("a verb's output is text, and its exit code is known", async (t) => {
  const verb = startProcess(t, await serviceFile(t, "server.mjs"), { args: ["version"] });
  const { code, ms } = await verb.exited;
  assert.deepEqual([code, verb.stdout, verb.lines], [3, "version 1.2.3\n{ not json\n", []]);
  assert.ok(ms > 0);
});

test("a process that ends before it listens fails the start, with what it said", async (t) => {
  const main = await serviceFile(t, "server.mjs");
  for (const stdout of ["pipe", "closed"] as const) {
    await assert.rejects(startService(t, main, { env: { BROKEN: "1" }, stdout }), (thrown: unknown) => {
      assert.ok(thrown instanceof AppError);
      assert.match(thrown.message, /^the process ended before it/);
      assert.equal(thrown.fields.stderr, "BROKEN must not be set\n");
      return true;
    });
  }
});

test("what can't be started says so", async (t) => {
  await assert.rejects(startService(t, ["/nowhere/parapet"]), /could not be started/);
});

test("waiting for a line ends with the time and with the process", async (t) => {
  const service = await startService(t, await serviceFile(t, "server.mjs"));
  await assert.rejects(service.line("never", 20), /did not log this line in time/);
  const waiting = assert.rejects(service.line("never"), /ended before it logged/);
  service.kill("SIGKILL");
  await waiting;
  assert.equal((await service.exited).signal, "SIGKILL");
});

test("an unread pipe is read up to the line listening, and then fills up", async (t) => {
  const service = await startService(t, await serviceFile(t, "server.mjs"), { stdout: "unread" });
  const { backlog } = await ask(service, "/flood");
  assert.ok(backlog > 1_000_000, `backlog ${backlog}`);
  assert.ok(service.lines.length < 300, `${service.lines.length} lines read`);
});

test("a closed pipe has no reader from the start", async (t) => {
  const service = await startService(t, await serviceFile(t, "server.mjs"), { stdout: "closed" });
  assert.deepEqual((await ask(service)).errors, ["EPIPE"]);
  assert.deepEqual(service.lines, []);
});

test("stdout goes to a file", async (t) => {
  const main = await serviceFile(t, "server.mjs");
  const file = `${main}.log`;
  const service = await startService(t, main, { stdout: { file } });
  await ask(service);
  assert.deepEqual(JSON.parse(await readFile(file, "utf8")), { level: "info", msg: "listening", port: service.port });
});

test("stdout goes to a full disk", { skip: !existsSync("/dev/full") }, async (t) => {
  const service = await startService(t, await serviceFile(t, "server.mjs"), { stdout: { file: "/dev/full" } });
  assert.deepEqual((await ask(service)).errors, ["ENOSPC"]);
});

test("no process outlives its test, however stubborn", async (t) => {
  const main = await serviceFile(t, "server.mjs");
  const started: ServiceProcess[] = [];
  await t.test("starts", async (inner) => {
    const service = await startService(inner, main, { env: { STUBBORN: "1" } });
    service.kill();
    await service.line("stopping");
    assert.ok(isAlive(service));
    started.push(service);
  });
  assert.deepEqual(started.map(isAlive), [false]);
});
