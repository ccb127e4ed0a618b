import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { row, sql } from "parapet/postgres";
import {
  eventually,
  faultProxy,
  type LoadRequest,
  postgresSandbox,
  rawConnection,
  rawRequest,
  type Service,
  startLoad,
  startService,
  testContext,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { databaseRoutes, inTurn } from "./database-routes.ts";
import { askedBy, assertUnavailable, assertUnharmed, percentile, timed } from "./replies.ts";
import { isAtRest, scrape, underWay } from "./scrape.ts";
import { lockedOut, sessionsOf, storedUsers, terminateSessions, whileHeld } from "./sessions.ts";
import { createAda, rawJson, sendJson, userOf } from "./users-json.ts";
import { BROKER_AWAY, SERVER, startUsers, startUsersBehindProxy } from "./users-process.ts";

/** A second to wait for a connection, and what a busy machine takes on top. */
const AWAY_MS = 2000;
/** How many connections the service opens at most. */
const POOL_MAX = 10;
const UNKNOWN_ID = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";
const john = { name: "John", email: "john@example.com" };

for (const fault of ["refuse", "blackhole"] as const) {
  test(`C1: with a database that is away at the start (${fault}), it lives, says why it is not ready, and is once it can`, async (t) => {
    const { url, database } = await postgresSandbox(t, { migrations });
    const proxy = await faultProxy(t, url);
    await proxy[fault]();
    const service = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: proxy.url } });
    const users = `${service.url}/api/v1/users`;
    // Long enough for the waits between two attempts to have grown to their longest.
    for (const until = performance.now() + 4500; performance.now() < until; ) {
      await assertAway(service);
      await delay(100);
    }
    await service.line("the database is not ready");
    assert.deepEqual(await reasonsOf(service), { database: "the database can't be reached" });

    await proxy.pass();
    const back = performance.now();
    await eventually(async () => (await fetch(`${service.url}/readyz`)).status === 200, 6000);
    t.diagnostic(`ready ${Math.round(performance.now() - back)} ms after the database`);
    assert.equal((await sendJson("POST", users, john)).status, 201);
    assert.equal(await storedUsers(database), 1);
    const changes = service.lines.filter(({ msg }) => msg.startsWith("the database is "));
    assert.deepEqual(
      changes.map(({ level, msg }) => `${level} ${msg}`),
      ["warn the database is not ready", "info the database is ready"],
      "the log tells of changes, not of attempts",
    );
  });
}

test("C2: while the database is down its routes answer 503 at once, all else goes on, and it recovers by itself", async (t) => {
  const service = await startUsersBehindProxy(t);
  const { id } = await createAda(service);
  await askedBy(POOL_MAX, 1, () => fetch(service.users));

  await service.proxy.refuse();
  service.proxy.reset();
  const outage = performance.now();
  const answers = await askedBy(10, 30, inTurn(Object.values(databaseRoutes(service.users, id))));
  for (const answer of answers) assertUnavailable(answer);
  const p99 = percentile(99, answers);
  assert.ok(p99 < 1100, `the slowest of 99 % took ${p99} ms`);

  for (const path of ["/livez", "/readyz", "/health", "/metrics"]) {
    assert.equal((await fetch(service.url + path)).status, 200, path);
  }
  assert.equal((await fetch(`${service.users}/nope`)).status, 400);
  assert.equal((await fetch(`${service.url}/nope`)).status, 404);
  const outageMs = performance.now() - outage;

  await service.proxy.pass();
  const back = performance.now();
  await eventually(async () => (await fetch(`${service.users}/${id}`)).status === 200, 2000);
  const recoveryMs = performance.now() - back;
  const replies = await askedBy(10, 10, () => fetch(`${service.users}/${id}`));
  assert.ok(replies.every(({ status }) => status === 200));
  await assertUnharmed(service);
  t.diagnostic(
    `${answers.length} answers of 503, p99 ${Math.round(p99)} ms; recovered in ${Math.round(recoveryMs)} ms after ${Math.round(outageMs)} ms`,
  );
});

test("C6: sessions that are terminated while nobody uses them cost no request", async (t) => {
  const service = await startUsers(t);
  let terminated = 0;
  for (let round = 0; round < 20; round++) {
    await askedBy(8, 1, () => fetch(service.users));
    const before = new Set((await sessionsOf(service.database)).map(({ pid }) => pid));
    terminated += await terminateSessions(service.database);
    // What goes on in the background may have opened another by then.
    await eventually(async () => (await sessionsOf(service.database)).every(({ pid }) => !before.has(pid)));
    const replies = await askedBy(8, 1, () => fetch(service.users));
    assert.ok(replies.every(({ status }) => status === 200));
  }
  await assertUnharmed(service);
  t.diagnostic(`${terminated} idle sessions terminated`);
});

test("C6: all sessions terminated again and again under load: 503 for what was in flight, nothing acknowledged lost", async (t) => {
  const clients = 12;
  const service = await startUsers(t);
  const acknowledged: string[] = [];
  const load = startLoad(t, {
    url: service.url,
    keepAliveClients: clients,
    freshClients: 0,
    maxThinkMs: 5,
    request: readOrCreate,
    onReply: ({ status, headers, body }) => {
      if (status === 201) acknowledged.push(String(headers.location).slice("/api/v1/users/".length));
      if (status >= 400) assert.equal(headers["content-type"], "application/problem+json; charset=utf-8", body);
    },
  });
  const kills = 8;
  for (let kill = 0; kill < kills; kill++) {
    await delay(500 + 100 * kill);
    await terminateSessions(service.database);
  }
  await delay(500);
  const { attempted, ok, failed, failures } = await load.stop();
  assert.deepEqual(
    Object.keys(failures).filter((reason) => reason !== "status 503"),
    [],
  );
  assert.ok(failed <= kills * clients, `${failed} requests failed in ${kills} kills of ${clients} clients`);
  assert.ok(ok > 200, `${ok} requests were answered`);
  const [stored] = await service.database.query(
    testContext(),
    sql(row({ count: "int4" }))`select count(*)::int4 as count from users where id = any(${acknowledged}::uuid[])`,
  );
  assert.equal(stored?.count, acknowledged.length);
  assert.equal((await fetch(service.users)).status, 200);
  await assertUnharmed(service);
  t.diagnostic(`${attempted} requests, ${kills} kills, ${failed} answers of 503, ${acknowledged.length} users kept`);
});

test("C14: the query of a caller that leaves ends within a second, and a change's connection serves on", async (t) => {
  const service = await startUsers(t);
  await service.line("the database is ready");
  const { id } = await createAda(service);
  const ofAll = sql`lock table users in access exclusive mode`;
  const ofRows = sql`select id from users for update`;
  const reads = [
    { bytes: rawJson("GET", "/api/v1/users"), lock: ofAll },
    // Of a user whom no cache knows.
    { bytes: rawJson("GET", `/api/v1/users/${UNKNOWN_ID}`), lock: ofAll },
  ];
  const changes = [
    { bytes: rawJson("POST", "/api/v1/users", { name: "Never", email: "never@example.com" }), lock: ofAll },
    { bytes: rawJson("PATCH", `/api/v1/users/${id}`, { name: "Never" }), lock: ofRows },
    { bytes: rawJson("DELETE", `/api/v1/users/${id}`), lock: ofRows },
  ];
  const leaveWhileLocked = async ({ bytes, lock }: (typeof reads)[number]) => {
    const connection = rawConnection(t, service.port);
    await whileHeld(service.database, lock, async () => {
      connection.send(bytes);
      await lockedOut(service.database, 1);
      connection.reset();
      const left = performance.now();
      await eventually(async () => (await sessionsOf(service.database)).every(({ state }) => state === "idle"), 1000);
      t.diagnostic(`${bytes.split(" ", 1)}: ended in ${Math.round(performance.now() - left)} ms`);
      await eventually(() => isAtRest(service), 1000);
    });
    assert.equal((await userOf(await fetch(`${service.users}/${id}`))).name, "Ada");
  };
  for (const read of reads) await leaveWhileLocked(read);
  const before = await sessionsOf(service.database);
  for (const change of changes) await leaveWhileLocked(change);
  assert.deepEqual(await sessionsOf(service.database), before, "the connections are the same");
  assert.equal(await storedUsers(service.database), 1);
});

test("C14: of a thousand callers that leave while they wait nothing is left", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const before = await storedUsers(service.database);
  const started = performance.now();
  for (let wave = 0; wave < 20; wave++) {
    await whileHeld(service.database, sql`lock table users in access exclusive mode`, async () => {
      const connections = Array.from({ length: 50 }, () => rawConnection(t, service.port));
      connections.forEach((connection, number) => void connection.send(anyRequest(number, id)));
      await lockedOut(service.database, POOL_MAX);
      await underWay(service, 50);
      for (const connection of connections) connection.reset();
      await eventually(() => isAtRest(service), 1000);
      await eventually(async () => (await sessionsOf(service.database)).every(({ state }) => state === "idle"), 2000);
    });
  }
  t.diagnostic(`twenty waves in ${Math.round(performance.now() - started)} ms`);
  const replies = await askedBy(20, 1, () => fetch(service.users));
  assert.ok(replies.every(({ status }) => status === 200));
  assert.equal(await storedUsers(service.database), before);
  assert.equal((await userOf(await fetch(`${service.users}/${id}`))).name, "Ada");
  const left = [...(await scrape(service)).series].filter(([name]) => /^http_requests_total.*status="499"/.test(name));
  assert.equal(
    left.reduce((sum, [, count]) => sum + count, 0),
    1000,
  );
  await assertUnharmed(service);
});

test("C17: text that the database can't store is refused with 400, and nothing is stored", async (t) => {
  const service = await startUsers(t);
  const user = await createAda(service);
  const bodies = [
    String.raw`{"name":"a\u0000b","email":"a@example.com"}`,
    String.raw`{"name":"a\ud800b","email":"a@example.com"}`,
    String.raw`{"name":"\udc00\ud800","email":"a@example.com"}`,
    String.raw`{"name":"a","email":"a\u0000@example.com"}`,
    String.raw`{"na\u0000me":"a","email":"a@example.com"}`,
    '{"name":"a\u0000b","email":"a@example.com"}',
    '{"name":"a\u00c3(b","email":"a@example.com"}',
    '{"name":"a\u00ff","email":"a@example.com"}',
    '{"name":"\u00ed\u00a0\u0080","email":"a@example.com"}',
    '{"name":"\u00c0\u0080","email":"a@example.com"}',
  ];
  const targets = ["/%00", "/%ff", "/%ed%a0%80", "/%c0%80", "/%C3%28", `/${user.id}%00`].concat(
    ["cursor=%00", "cursor=%ff", "cursor=%ed%a0%80", "limit=1%00", "cursor=AAAA%00"].map((query) => `?${query}`),
  );
  const requests = [
    ...bodies.map((body) => rawJson("POST", "/api/v1/users", body)),
    ...bodies.map((body) => rawJson("PATCH", `/api/v1/users/${user.id}`, body)),
    ...targets.map((target) => rawJson("GET", `/api/v1/users${target}`)),
    rawJson("PATCH", "/api/v1/users/%00", '{"name":"a"}'),
    rawJson("DELETE", `/api/v1/users/${user.id}%00`),
  ];
  for (const bytes of requests) {
    const { responses } = await rawRequest(service.port, bytes);
    assert.deepEqual(
      responses.map(({ status }) => status),
      [400],
      JSON.stringify(bytes),
    );
  }
  assert.equal(await storedUsers(service.database), 1);
  assert.deepEqual(await userOf(await fetch(`${service.users}/${user.id}`)), user);
  await assertUnharmed(service);
});

/** A read or a change that has to wait for whoever has the table of users. */
function anyRequest(number: number, id: string): string {
  const requests = [
    rawJson("GET", "/api/v1/users"),
    rawJson("GET", `/api/v1/users/${randomUUID()}`),
    rawJson("POST", "/api/v1/users", { name: "Never", email: `never-${number}@example.com` }),
    rawJson("PATCH", `/api/v1/users/${id}`, { name: "Never" }),
  ];
  return requests[number % requests.length] ?? "";
}

function readOrCreate(number: number): LoadRequest {
  if (number % 2 === 0) return { path: "/api/v1/users?limit=5" };
  return {
    method: "POST",
    path: "/api/v1/users",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "Load", email: `load-${number}@example.com` }),
  };
}

/** Not ready, but alive, and quick to say that the database is away. */
async function assertAway(service: Service): Promise<void> {
  const users = `${service.url}/api/v1/users`;
  const [live, ready, ...away] = await Promise.all([
    timed(fetch(`${service.url}/livez`)),
    timed(fetch(`${service.url}/readyz`)),
    timed(fetch(users)),
    timed(sendJson("POST", users, john)),
    timed(sendJson("PATCH", `${users}/${UNKNOWN_ID}`, { name: "Jo" })),
  ]);
  assert.deepEqual([live.status, ready.status], [200, 503]);
  for (const reply of away) {
    assertUnavailable(reply);
    assert.ok(reply.ms < AWAY_MS, `503 after ${reply.ms} ms`);
  }
}

async function reasonsOf({ url }: Service): Promise<unknown> {
  const summary: unknown = await (await fetch(`${url}/readyz`)).json();
  return typeof summary === "object" && summary !== null && "reasons" in summary ? summary.reasons : undefined;
}
