import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { row, sql } from "parapet/postgres";
import { eventually, type LoadRequest, rawConnection, splitResponses, startLoad, testContext } from "parapet/testing";
import type { User } from "../pkg/client/index.ts";
import { underWay } from "./scrape.ts";
import { lockedOut, whileHeld } from "./sessions.ts";
import { createAda, rawJson, sendJson } from "./users-json.ts";
import { exits, SERVER, startUsers, startUsersBehindProxy, type UsersProcess, untilClosed } from "./users-process.ts";

const GRACE_MS = 30_000;
const LEAST_MARGIN_MS = 2000;
const CLOSE = "connection: close\r\n";

const Stored = row({ name: "text", version: "int4" });

for (const lagMs of [300, 3000, 4000]) {
  test(`A1: a load balancer that looks away ${lagMs} ms after SIGTERM loses no request`, async (t) => {
    const service = await startUsers(t);
    let draining = false;
    let persistent = 0;
    const refused: string[] = [];
    const load = startLoad(t, {
      url: service.url,
      keepAliveClients: 40,
      freshClients: 10,
      maxThinkMs: 50,
      request: readOrCreate,
      onReply: ({ status, headers, body }) => {
        if (draining && headers.connection !== "close") persistent += 1;
        if (status >= 400) refused.push(body);
      },
    });
    await eventually(() => load.report().ok > 500, 20_000);
    service.kill("SIGTERM");
    const lookedAway = delay(lagMs);
    await service.line("shutting down");
    const probes = await Promise.all([fetch(`${service.url}/readyz`), fetch(`${service.url}/livez`)]);
    // What was on its way when the signal came may still be answered the old way.
    await delay(100);
    draining = true;
    await lookedAway;
    const report = await load.stop();
    assert.deepEqual([report.failures, refused], [{}, []]);
    assert.equal(report.ok, report.attempted);
    assert.equal(persistent, 0, "every answer while draining asks the client to leave");
    assert.deepEqual(
      probes.map(({ status }) => status),
      [503, 200],
    );
    await exits(t, service, { code: 0, withinMs: GRACE_MS - LEAST_MARGIN_MS });
    t.diagnostic(`${report.attempted} requests`);
  });
}

test("A2: a request that outlasts the lame duck is answered, and what it changed is there", async (t) => {
  const service = await startUsersBehindProxy(t, { env: { DRAIN_DELAY_MS: "300" } });
  const user = await createAda(service);
  await service.proxy.blackhole();
  const answered = sendJson("PATCH", `${service.users}/${user.id}`, { name: "Grace" });
  await underWay(service, 1);
  service.kill();
  await untilClosed(service);
  await service.proxy.pass();
  const { status, headers } = await answered;
  assert.deepEqual([status, headers.get("connection")], [200, "close"]);
  await exits(t, service, { code: 0, withinMs: 4000 });
  assert.deepEqual(await stored(service, user), { name: "Grace", version: 2 });
});

test("A3: a request that outlasts the drain is answered 503 and undone, and the exit says so", async (t) => {
  const limits = { DATABASE_STATEMENT_TIMEOUT_MS: "900", REQUEST_TIMEOUT_MS: "1000", DRAIN_TIMEOUT_MS: "1500" };
  const service = await startUsersBehindProxy(t, { env: { ...limits, DRAIN_DELAY_MS: "0" } });
  const user = await createAda(service);
  const client = rawConnection(t, service.port);
  // When it is granted the user's lock, it can't hear of it any more.
  await whileHeld(service.database, sql`select from users where id = ${user.id} for update`, async () => {
    // None outlasts the drain alone, since its own limit is lower. The second, which waits for the first, does.
    client.send(rawJson("PATCH", `/api/v1/users/${user.id}`, { name: "Grace" }).replace(CLOSE, "").repeat(3));
    await lockedOut(service.database, 1);
    await service.proxy.blackhole();
  });
  service.kill();
  await exits(t, service, { code: 1, withinMs: 6000 });
  assert.deepEqual((await service.line("shutdown forced")).aborted, { http: 1 });
  assert.equal(await client.ended(1000), "closed");
  const { responses } = splitResponses(client.received);
  assert.deepEqual(
    responses.map(({ status }) => status),
    [504, 503],
  );
  assert.match(String(responses[1]?.headers["retry-after"]), /^[1-9]\d*$/);
  await service.proxy.pass();
  assert.deepEqual(await stored(service, user), { name: "Ada", version: 1 });
});

for (const [first, second] of [
  ["SIGTERM", "SIGTERM"],
  ["SIGTERM", "SIGINT"],
] as const) {
  test(`A6: ${second} after ${first} ends the process at once, whatever is under way`, async (t) => {
    const service = await startUsersBehindProxy(t);
    await service.proxy.blackhole();
    const answered = fetch(service.users);
    await underWay(service, 1);
    service.kill(first);
    await service.line("shutting down");
    service.kill(second);
    assert.equal((await answered).status, 503);
    await exits(t, service, { code: 1, withinMs: 1000 });
  });
}

test("A6: SIGINT alone does what SIGTERM does", async (t) => {
  const service = await startUsers(t, { env: { DRAIN_DELAY_MS: "0" } });
  service.kill("SIGINT");
  await exits(t, service, { code: 0, withinMs: 2000 });
});

const asFirstProcess = [
  ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"],
  ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"],
].find(([command = "", ...args]) => spawnSync(command, [...args, "true"]).status === 0);
const skip = asFirstProcess === undefined && "unshare(1) may not make a PID namespace here";

test("A8: as process 1, which no signal ends by itself, the service ends at SIGTERM as everywhere", {
  skip,
}, async (t) => {
  const main = [...(asFirstProcess ?? []), process.execPath, SERVER];
  const service = await startUsers(t, { main, env: { DRAIN_DELAY_MS: "0" } });
  const child = Number(readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, "utf8"));
  assert.match(readFileSync(`/proc/${child}/status`, "utf8"), /^NSpid:\t\d+\t1$/m);
  process.kill(child, "SIGTERM");
  await service.line("stopped", 2000);
  const { code, signal } = await service.exited;
  assert.deepEqual([code, signal], [0, null]);
});

function readOrCreate(number: number): LoadRequest {
  if (number % 4 !== 0) return { path: "/api/v1/users?limit=5" };
  return {
    method: "POST",
    path: "/api/v1/users",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "Load", email: `load-${number}@example.com` }),
  };
}

/** What the database has of a user, as soon as nobody holds a lock on it. */
async function stored({ database }: UsersProcess, { id }: User) {
  const found = await database.transaction(testContext(), (tx) =>
    tx.query(testContext(), sql(Stored)`select name, version from users where id = ${id} for update`),
  );
  return found[0];
}
