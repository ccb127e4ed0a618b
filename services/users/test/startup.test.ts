import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { group } from "parapet/context";
import { faultProxy, postgresSandbox, startProcess, startService, testContext } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { randomMoments } from "./random-moments.ts";
import { BROKER_AWAY, exits, SERVER, startUsers } from "./users-process.ts";

const CANARY = "canary-7f3a9c";
const VALID = {
  DATABASE_URL: `postgres://users:${CANARY}@127.0.0.1:1/users`,
  AMQP_URL: `amqp://users:${CANARY}@127.0.0.1:1`,
  PORT: "0",
};

/** A wrong value for each setting. */
const WRONG: Readonly<Record<string, string>> = {
  SERVICE_VERSION: " 1.2.3",
  LOG_LEVEL: "loud",
  DATABASE_URL: `mysql://users:${CANARY}@127.0.0.1:1/users`,
  REDIS_URL: `http://:${CANARY}@127.0.0.1:1`,
  AMQP_URL: CANARY,
  CACHE_TTL_MS: "-1",
  CACHE_NEAR_ENTRIES: "many",
  DATABASE_POOL_MAX: "0",
  DATABASE_STATEMENT_TIMEOUT_MS: "5s",
  PORT: "65536",
  ADMIN_PORT: "-1",
  READ_TIMEOUT_MS: "0",
  WRITE_TIMEOUT_MS: "1e3",
  IDLE_TIMEOUT_MS: "60,000",
  REQUEST_TIMEOUT_MS: "10.5",
  DRAIN_DELAY_MS: "2147483648",
  DRAIN_TIMEOUT_MS: "0x10",
  MAX_BODY_BYTES: "1MB",
  MAX_CONNECTIONS: "many",
  CORS_ORIGINS: "https://app.example.com,",
  LB_IDLE_MS: "60 ",
  SHUTDOWN_GRACE_MS: "30",
};

/** Settings that are right each for itself, but not together; those that the message is to name. */
const CLASHES: readonly Readonly<Record<string, string>>[] = [
  { PORT: "8080", ADMIN_PORT: "8080" },
  { REQUEST_TIMEOUT_MS: "15000", DRAIN_TIMEOUT_MS: "15000" },
  { CORS_ORIGINS: "https://app.example.com/" },
  { DRAIN_DELAY_MS: "15000", SHUTDOWN_GRACE_MS: "30000" },
];

test("A7: SIGTERM at any moment of the start ends it, and the next start finds everything in order", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const env = { ...BROKER_AWAY, DATABASE_URL: url, DRAIN_DELAY_MS: "0" };
  const early = randomMoments(t, { count: 10, belowMs: 400 });
  const ends = [...early, ...randomMoments(t, { count: 10, belowMs: 1500 })].map((moment) => async () => {
    const started = startProcess(t, SERVER, { env });
    await delay(moment);
    started.kill();
    const { code, signal, ms } = await started.exited;
    assert.ok(ms < 2000, `gone after ${ms} ms`);
    // Before the service listens for signals, Node is ended by them.
    assert.ok(code === 0 || signal === "SIGTERM", started.stdout + started.stderr);
    assert.ok(!started.stdout.includes('"level":"error"'), started.stdout);
    return `${Math.round(ms)} (${code ?? signal})`;
  });
  t.diagnostic(`gone after ${(await group(testContext(), { limit: 4 }, ends)).join(", ")} ms`);
  const next = await startService(t, SERVER, { env });
  await next.line("the database is ready");
  next.kill();
  await exits(t, next, { code: 0, withinMs: 2000 });
});

test("A7: SIGTERM ends a service that still waits for its database", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const proxy = await faultProxy(t, url);
  await proxy.blackhole();
  const service = await startService(t, SERVER, {
    env: { ...BROKER_AWAY, DATABASE_URL: proxy.url, DRAIN_DELAY_MS: "0" },
  });
  service.kill();
  await exits(t, service, { code: 0, withinMs: 2000 });
});

test("A13: a setting that is wrong is named within 2 s, before anything starts", async (t) => {
  assert.deepEqual(Object.keys(WRONG).sort(), (await settings(t)).sort());
  const tries = Object.entries(WRONG).map(([name, value]) => async () => {
    const { message, ms } = await refusal(t, { [name]: value });
    assert.match(message, new RegExp(`^the configuration has a problem\n\n${name} is `));
    return ms;
  });
  const times = (await group(testContext(), { limit: 2 }, tries)).sort((a, b) => a - b);
  // A busy machine may keep some of so many waiting.
  const median = times[Math.floor(times.length / 2)] ?? 0;
  assert.ok(median < 2000, `gone after ${median} ms`);
  t.diagnostic(`gone after ${Math.round(median)} ms`);
});

test("A13: settings that don't go together are named, all of them", async (t) => {
  const tries = CLASHES.map((clash) => async () => {
    const { message } = await refusal(t, clash);
    assert.match(message, /^the configuration has a problem\n/);
    for (const name of Object.keys(clash)) assert.ok(message.includes(name), message);
  });
  await group(testContext(), { limit: 2 }, tries);
});

test("A13: all settings that are wrong are named in one message", async (t) => {
  const { message } = await refusal(t, WRONG);
  assert.ok(message.startsWith(`the configuration has ${Object.keys(WRONG).length} problems\n`), message);
  for (const name of Object.keys(WRONG)) assert.match(message, new RegExp(`^${name} is `, "m"));
});

test("A13: a setting that is missing is named, with an example", async (t) => {
  const { message } = await refusal(t, { DATABASE_URL: "" });
  assert.match(message, /^DATABASE_URL is not set$/m);
  assert.match(message, /DATABASE_URL=postgres:\/\/users:password@localhost:5432\/users$/m);
});

test("A13: a secret in the place of another setting is not shown", async (t) => {
  for (const secret of [VALID.DATABASE_URL, CANARY]) {
    const { message } = await refusal(t, { LOG_LEVEL: secret });
    assert.match(message, /^LOG_LEVEL is a (URL|text)/m);
  }
});

for (const variable of ["PORT", "ADMIN_PORT"] as const) {
  test(`G12: a port that is in use ends the start at once, and the message names it and ${variable}`, async (t) => {
    const { port, url, databaseUrl } = await startUsers(t);
    const env = { ...BROKER_AWAY, DATABASE_URL: databaseUrl, [variable]: String(port) };
    const second = startProcess(t, SERVER, { env });
    await second.line("starting");
    const startedAt = performance.now();
    const { code } = await second.exited;
    const ms = performance.now() - startedAt;
    assert.equal(code, 1);
    assert.ok(ms < 1000, `gone after ${ms} ms`);
    const { error } = await second.line("component did not start");
    assert.match(
      JSON.stringify(error),
      new RegExp(`"port ${port} is in use: stop what .* or set ${variable} to another`),
    );
    assert.equal((await fetch(`${url}/livez`)).status, 200);
  });
}

/** The names of all settings, as the service itself lists them. */
async function settings(t: TestContext): Promise<string[]> {
  const shown = startProcess(t, SERVER, { env: VALID, args: ["--print-config"] });
  assert.equal((await shown.exited).code, 0);
  return Array.from(shown.stdout.matchAll(/^ *([A-Z_]+)=/gm), ([, name = ""]) => name);
}

/** What the service says on stderr before it ends, by `EX_CONFIG` and with nothing started, and how soon it does. */
async function refusal(t: TestContext, env: Readonly<Record<string, string>>) {
  const started = startProcess(t, SERVER, { env: { ...VALID, ...env } });
  // One that starts does not end by itself.
  const timer = setTimeout(() => started.kill("SIGKILL"), 10_000);
  const { code, ms } = await started.exited;
  clearTimeout(timer);
  assert.deepEqual([code, started.stdout], [78, ""], started.stderr);
  assert.ok(!started.stderr.includes(CANARY), started.stderr);
  return { message: started.stderr, ms };
}
