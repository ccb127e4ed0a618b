import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { startEmbeddedBroker, urlVariableOf } from "@parapet/dev";
import { AppError } from "parapet/errors";
import pg from "pg";
import { openTestDatabase } from "./test-database.ts";
import { ROOT } from "./test-files.ts";

const run = promisify(execFile);
const DEADLINE_MS = 10_000;
const SERVICES = readdirSync(join(ROOT, "services"));
/** Where the other services would be. No service needs them to start. */
const NEIGHBOURS = Object.fromEntries(SERVICES.map((name) => [urlVariableOf({ name }), "http://127.0.0.1:1"]));

/** Runs a service's bundle alone in an empty folder with its servers' URLs set: migrate, serve, leave when asked. */
async function smoke(service: string, serverUrl: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "artifact-"));
  const database = `smoke_${service}_${process.pid}`;
  await onServer(serverUrl, `create database ${database}`);
  const broker = await startEmbeddedBroker();
  try {
    copyFileSync(join(ROOT, "services", service, "dist/server.mjs"), join(folder, "server.mjs"));
    const databaseUrl = Object.assign(new URL(serverUrl), { pathname: `/${database}` }).href;
    const env = { DATABASE_URL: databaseUrl, AMQP_URL: broker.url, PORT: String(await freePort()) };
    await exercise(folder, { ...NEIGHBOURS, ...env });
  } finally {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
    await onServer(serverUrl, `drop database ${database} with (force)`);
  }
}

async function exercise(
  folder: string,
  env: Readonly<Record<"DATABASE_URL" | "AMQP_URL" | "PORT", string>>,
): Promise<void> {
  const options = { cwd: folder, env };
  await run(process.execPath, ["server.mjs", "migrate"], { ...options, timeout: DEADLINE_MS });
  const server = spawn(process.execPath, ["server.mjs"], { ...options, stdio: ["ignore", "ignore", "inherit"] });
  try {
    await untilReady(server, `http://127.0.0.1:${env.PORT}/readyz`);
    await run(process.execPath, ["server.mjs", "health"], { ...options, timeout: DEADLINE_MS });
    server.kill("SIGTERM");
    const [code] = await once(server, "exit", { signal: AbortSignal.timeout(2 * DEADLINE_MS) });
    assert.equal(code, 0, "the exit code after SIGTERM");
  } finally {
    server.kill("SIGKILL");
  }
}

async function untilReady(server: ChildProcess, url: string): Promise<void> {
  const endsAt = performance.now() + DEADLINE_MS;
  while (server.exitCode === null && performance.now() < endsAt) {
    const reply = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) }).catch(() => undefined);
    if (reply?.status === 200) return;
    await delay(50);
  }
  const why = server.exitCode === null ? `not ready within ${DEADLINE_MS} ms` : `ended with ${server.exitCode}`;
  throw new AppError("unavailable", why);
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: DEADLINE_MS });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

const server = await openTestDatabase(process.env, AbortSignal.timeout(60_000));
try {
  for (const service of SERVICES) {
    await smoke(service, server.url);
    console.log(`ok ${service}`);
  }
} finally {
  await server.stop();
}
