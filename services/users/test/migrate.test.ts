import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { group } from "parapet/context";
import { row, sql } from "parapet/postgres";
import {
  eventually,
  type PostgresSandbox,
  postgresSandbox,
  type ServiceProcess,
  startProcess,
  startService,
  testContext,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { randomMoments } from "./random-moments.ts";
import { lockedOut, sessionsOf, storedUsers, whileHeld } from "./sessions.ts";
import { BROKER_AWAY, SERVER } from "./users-process.ts";

const REPLICAS = 8;
/** The server looks every second whether a client that it works for is still there, and ends its statement. */
const GONE_WITHIN_MS = 2000;

const Applied = row({ id: "text" });

for (const { fault, signal, code } of [
  { fault: "A7", signal: "SIGTERM", code: 143 },
  { fault: "K14", signal: "SIGKILL", code: null },
] as const) {
  test(`${fault}: after ${signal} at any moment of migrate the next one finds everything in order`, async (t) => {
    const rounds = randomMoments(t, { count: 10, belowMs: 400 }).map((moment) => async () => {
      const sandbox = await postgresSandbox(t);
      const migrate = startMigrate(t, sandbox);
      await delay(moment);
      migrate.kill(signal);
      const exit = await migrate.exited;
      assert.ok(exit.ms < 2000, `gone after ${exit.ms} ms`);
      // Before it listens for signals, Node is ended by them.
      assert.ok([0, code].includes(exit.code) || exit.signal === signal, migrate.stdout + migrate.stderr);
      await migratesNow(t, sandbox);
      return exit.code ?? exit.signal;
    });
    t.diagnostic(`ended by ${(await group(testContext(), { limit: 2 }, rounds)).join(", ")}`);
  });

  test(`${fault}: ${signal} in the middle of a migration leaves nothing of it, and no lock`, async (t) => {
    const sandbox = await postgresSandbox(t);
    // Who wants a table of this name has to wait until it is certain that there is none.
    const sameTable = sql`do $$ begin create table users (); drop table users; end $$`;
    await whileHeld(sandbox.database, sameTable, async () => {
      const migrate = startMigrate(t, sandbox);
      await lockedOut(sandbox.database, 1);
      migrate.kill(signal);
      const exit = await migrate.exited;
      assert.equal(exit.code, code);
      assert.ok(exit.ms < 2000, `gone after ${exit.ms} ms`);
    });
    assert.deepEqual(await applied(sandbox), []);
    await migratesNow(t, sandbox);
  });
}

test(`I1: of ${REPLICAS} that migrate an empty database at once one works, and then all of them serve`, async (t) => {
  const sandbox = await postgresSandbox(t);
  const replicas = Array.from({ length: REPLICAS }, () => startMigrate(t, sandbox));
  const exits = await Promise.all(replicas.map(({ exited }) => exited));
  assert.deepEqual(
    exits.map(({ code }) => code),
    replicas.map(() => 0),
    replicas.map(({ stdout, stderr }) => stdout + stderr).join(),
  );
  const steps = replicas.flatMap(({ lines }) => lines.filter(({ msg }) => msg === "migration applied"));
  assert.deepEqual(
    steps.map(({ migration }) => migration),
    migrations.map(({ id }) => id),
  );
  const servers = replicas.map(async () => {
    const server = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: sandbox.url } });
    await server.line("the database is ready");
    return (await fetch(`${server.url}/readyz`)).status;
  });
  assert.deepEqual(
    await Promise.all(servers),
    replicas.map(() => 200),
  );
});

function startMigrate(t: TestContext, { url }: PostgresSandbox): ServiceProcess {
  return startProcess(t, SERVER, { args: ["migrate"], env: { ...BROKER_AWAY, DATABASE_URL: url } });
}

/** Migrates to the end, with nothing to wait for once the server has seen that the one before is gone. */
async function migratesNow(t: TestContext, sandbox: PostgresSandbox): Promise<void> {
  await eventually(async () => (await sessionsOf(sandbox.database)).length === 0, GONE_WITHIN_MS);
  const migrate = startMigrate(t, sandbox);
  const { code } = await migrate.exited;
  assert.equal(code, 0, migrate.stdout + migrate.stderr);
  assert.ok(!migrate.stdout.includes("waiting for another migration"), migrate.stdout);
  assert.deepEqual(
    await applied(sandbox),
    migrations.map(({ id }) => id),
  );
  assert.equal(await storedUsers(sandbox.database), 0);
}

async function applied({ database }: PostgresSandbox): Promise<readonly string[]> {
  const rows = await database.query(testContext(), sql(Applied)`select id from schema_migrations order by id`);
  return rows.map(({ id }) => id);
}
