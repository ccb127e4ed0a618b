import assert from "node:assert/strict";
import { test } from "node:test";
import { sql } from "parapet/postgres";
import { eventually } from "parapet/testing";
import { type Ask, databaseRoutes, inTurn } from "./database-routes.ts";
import { askedBy, assertGivenUp, assertUnharmed, detailOf, percentile, type TimedReply, timed } from "./replies.ts";
import { counted, underWay } from "./scrape.ts";
import { lockedOut, openSessions, sessionsOf, whileHeld } from "./sessions.ts";
import { createAda, sendJson, userOf } from "./users-json.ts";
import { startUsersBehindProxy, type UsersProcess } from "./users-process.ts";

/** Shorter than what the database room itself allows a statement, so that it is the budget that ends what waits. */
const BUDGET_MS = 3000;
/** After which a connection that short statements share is given up. */
const SILENCE_MS = 2000;
/** What a busy machine takes on top. */
const IN_TIME_MS = BUDGET_MS + 250;
const env = { REQUEST_TIMEOUT_MS: String(BUDGET_MS) };
/** How many connections the service opens for changes, how many callers may wait for one, and what goes on behind. */
const POOL_MAX = 10;
const MAX_WAITING = 100;
/** What goes on behind waits for connections of its own, and is counted too. */
const BACKGROUND = 4;
const BACKGROUND_MAX = 2;
const ofAll = sql`lock table users in access exclusive mode`;

test("C3: when packets vanish every route gives up in time, and no connection that was given up is used again", async (t) => {
  const service = await startUsersBehindProxy(t, { env });
  const { id } = await createAda(service);
  await openSessions(service, id, POOL_MAX);
  const before = new Set((await sessionsOf(service.database)).map(({ pid }) => pid));

  await service.proxy.blackhole();
  const { list, get, create, update, remove } = databaseRoutes(service.users, id);
  const asked = Promise.all([list, get, create, update, remove].map((ask) => askedBy(6, 1, ask)));
  await underWay(service, 30);
  const probes = await askedBy(1, 10, (number) => fetch(service.url + (number % 2 === 0 ? "/livez" : "/readyz")));
  assert.ok(probes.every(({ status, ms }) => status === 200 && ms < 1000));
  const [lists, gets, ...changes] = await asked;
  for (const reply of [...(lists ?? []), ...(gets ?? [])]) assertGivenUp(reply, SILENCE_MS + 500);
  for (const reply of changes.flat()) assertGivenUp(reply, IN_TIME_MS);
  // But for those of the background, whose rounds have more time.
  await eventually(async () => (await counted(service, "postgres_pool_connections")) <= BACKGROUND_MAX);

  await service.proxy.pass();
  const ask = inTurn([list, get, create, update]);
  // What vanished arrives now, and may be saved: these are others.
  const first = await askedBy(1, 10, (number) => ask(100 + number));
  assert.deepEqual(
    first.map(({ status }) => status),
    [200, 404, 201, 200, 200, 404, 201, 200, 200, 404],
  );
  const kept = (await sessionsOf(service.database)).filter(({ pid }) => before.has(pid));
  assert.ok(kept.length <= BACKGROUND_MAX, `${kept.length} of ${before.size} connections were used again`);
  await assertUnharmed(service);
  const slowestMs = Math.round(percentile(100, changes.flat()));
  t.diagnostic(`reads given up in up to ${Math.round(percentile(100, lists ?? []))} ms, changes in ${slowestMs} ms`);
});

test("C4: with answers 200 ms late every route answers, and what needs no database is not slowed", async (t) => {
  const service = await startUsersBehindProxy(t);
  const { id } = await createAda(service);
  await openSessions(service, id, POOL_MAX);
  const others = await othersOf(service);
  const before = await askedBy(2, 100, others);

  // There and back.
  await service.proxy.latency(100);
  const { list, get, create, update } = databaseRoutes(service.users, id);
  const slowed = askedBy(4, 9, inTurn([list, get, create, update]));
  const meanwhile = await askedBy(2, 100, others);
  const replies = await slowed;
  assert.deepEqual([...new Set(replies.map(({ status }) => status))].sort(), [200, 201, 404]);
  assert.ok(replies.every(({ ms }) => ms >= 200));
  assertNotSlowed(meanwhile, before);
  await assertUnharmed(service);
  const p99 = (of: readonly TimedReply[]) => Math.round(percentile(99, of));
  t.diagnostic(`p99 ${p99(replies)} ms; of the others ${p99(meanwhile)} ms, and ${p99(before)} ms before`);
});

test("C4: with answers 5 s late every route answers in its budget, the number of those who wait is bounded, and nothing else is slowed", async (t) => {
  const service = await startUsersBehindProxy(t, { env });
  const { id } = await createAda(service);
  await openSessions(service, id, POOL_MAX);
  const others = await othersOf(service);
  const before = await askedBy(2, 100, others);

  await service.proxy.latency(2500);
  const { list, get, create, update } = databaseRoutes(service.users, id);
  const tooMany = POOL_MAX + MAX_WAITING + 40;
  const reads = askedBy(100, 1, inTurn([list, get]));
  const changes = askedBy(tooMany, 1, inTurn([create, update]));
  await eventually(async () => (await counted(service, "postgres_pool_waiting")) > 0);
  const waiting = await counted(service, "postgres_pool_waiting");
  const meanwhile = await askedBy(2, 100, others);
  const replies = [...(await reads), ...(await changes)];
  // There are hundreds of them.
  for (const reply of replies) assertGivenUp(reply, BUDGET_MS + 1000);
  assert.ok(waiting <= MAX_WAITING + BACKGROUND, `${waiting} callers waited`);
  const refused = replies.filter(({ json }) => detailOf(json) === "too many callers wait for a database connection");
  assert.ok(refused.length > 0, "some were refused at once");
  assertNotSlowed(meanwhile, before);

  await service.proxy.pass();
  await eventually(async () => (await fetch(service.users)).status === 200);
  await assertUnharmed(service);
  const p99 = (of: readonly TimedReply[]) => Math.round(percentile(99, of));
  t.diagnostic(`p99 ${p99(replies)} ms; ${waiting} waited, ${refused.length} were refused at once`);
  t.diagnostic(`p99 of the others ${p99(meanwhile)} ms, and ${p99(before)} ms before`);
});

test("C5: an answer that drips in byte by byte is given up at the budget, however often a byte arrives", async (t) => {
  const service = await startUsersBehindProxy(t, { env });
  const { id } = await createAda(service);
  const routes = Object.values(databaseRoutes(service.users, id));
  const asked: Promise<readonly TimedReply[]>[] = [];
  await whileHeld(service.database, ofAll, async () => {
    asked.push(...routes.map((ask) => askedBy(1, 1, ask)));
    // Now the server has heard of them all, and it is their answers that drip.
    await lockedOut(service.database, routes.length);
    await service.proxy.slice(1, 1000);
  });
  const replies = (await Promise.all(asked)).flat();
  for (const reply of replies) assertGivenUp(reply, IN_TIME_MS);
  assert.deepEqual(
    replies.slice(2).map(({ status }) => status),
    [504, 504, 504],
    "the reads are given up with their shared connection, the changes at the budget",
  );
  // Of these not even the question gets through.
  const late = (await Promise.all(routes.map((ask) => askedBy(1, 1, () => ask(100))))).flat();
  for (const reply of late) assertGivenUp(reply, IN_TIME_MS);

  await service.proxy.pass();
  await eventually(async () => (await fetch(service.users)).status === 200);
  await assertUnharmed(service);
  t.diagnostic(`${replies.map(({ status, ms }) => `${status} after ${Math.round(ms)} ms`).join(", ")}`);
  t.diagnostic(`${late.map(({ status, ms }) => `${status} after ${Math.round(ms)} ms`).join(", ")}`);
});

test("C18: a transaction that hangs is ended by the server after ten seconds, and long before that its caller is told and others are served", async (t) => {
  const service = await startUsersBehindProxy(t, { env });
  const { id } = await createAda(service);
  const { update } = databaseRoutes(service.users, id);
  const ofAda = sql`select id from users where id = ${id} for update`;
  let asked: Promise<TimedReply> | undefined;
  await whileHeld(service.database, ofAda, async () => {
    asked = timed(update(1));
    await lockedOut(service.database, 1);
    // Nobody will tell the server what to do next, nor that we are gone.
    await service.proxy.blackhole();
  });
  const hanging = async () => (await sessionsOf(service.database)).filter((one) => one.state === "idle in transaction");
  await eventually(async () => (await hanging()).length === 1);
  const since = performance.now();
  const reply = await asked;
  assert.ok(reply !== undefined);
  assertGivenUp(reply, IN_TIME_MS);
  await eventually(async () => (await counted(service, "postgres_pool_connections")) <= BACKGROUND_MAX, 2000);
  assert.equal((await hanging()).length, 1, "the server does not know that we are gone");

  await eventually(async () => (await hanging()).length === 0, 12_000);
  const endedAfterMs = performance.now() - since;
  assert.ok(endedAfterMs > 9000, `ended after ${endedAfterMs} ms`);
  await whileHeld(service.database, ofAda, async () => {});
  await service.proxy.pass();
  assert.equal((await update(2)).status, 200);
  assert.equal((await userOf(await fetch(`${service.users}/${id}`))).name, "Jo 2");
  await assertUnharmed(service);
  t.diagnostic(`${reply.status} after ${Math.round(reply.ms)} ms; ended after ${Math.round(endedAfterMs)} ms`);
});

/** Asks in turn for what needs no database: a probe, what is not found or not valid, and a user whom the cache knows. */
async function othersOf(service: UsersProcess): Promise<Ask> {
  const created = await sendJson("POST", service.users, { name: "Grace", email: "grace@example.com" });
  const cached = `${service.users}/${(await userOf(created)).id}`;
  await userOf(await fetch(cached));
  const ask = inTurn([
    () => fetch(`${service.url}/livez`),
    () => fetch(`${service.url}/nope`),
    () => sendJson("POST", service.users, {}),
    () => fetch(cached),
  ]);
  await askedBy(2, 100, ask);
  return ask;
}

/** Twice as slow at most, and what a machine that is busy with the slowed ones takes on top: less than they take. */
function assertNotSlowed(replies: readonly TimedReply[], before: readonly TimedReply[]): void {
  for (const [percent, marginMs] of [
    [50, 10],
    [99, 100],
  ] as const) {
    const [ms, beforeMs] = [percentile(percent, replies), percentile(percent, before)];
    assert.ok(ms < 2 * beforeMs + marginMs, `${percent} % took up to ${ms} ms, and ${beforeMs} ms before`);
  }
}
