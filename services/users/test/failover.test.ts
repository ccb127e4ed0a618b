import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { commit, committed, createPostgresProxy, type Match, type PostgresSighting } from "@parapet/wire";
import { Problem } from "parapet/contract";
import { type Database, row, sql } from "parapet/postgres";
import { eventually, postgresSandbox, startService, testContext } from "parapet/testing";
import { Value } from "typebox/value";
import { migrations } from "../migrations/index.ts";
import { databaseRoutes, inTurn } from "./database-routes.ts";
import { askedBy, assertUnavailable, assertUnharmed, OUTCOME_UNKNOWN, type TimedReply, timed } from "./replies.ts";
import { openSessions, sessionsOf, storedUsers, terminateSessions } from "./sessions.ts";
import { createAda, sendJson, userOf } from "./users-json.ts";
import { BROKER_AWAY, SERVER, startUsers } from "./users-process.ts";

const RECOVERED_MS = 5000;

test("C7: while its server is read-only changes are answered 503 and reads go on; once there is a primary again all goes to it, within five seconds", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const { list, get, create, update, remove } = databaseRoutes(service.users, id);
  await openSessions(service, id, 5);
  await demote(service.database);
  await terminateSessions(service.database);
  await eventually(async () => (await askedBy(1, 1, list))[0]?.status === 200);

  for (const reply of await askedBy(6, 5, inTurn([create, update, remove]))) assertUnavailable(reply);
  const reads = await askedBy(6, 5, inTurn([list, get]));
  assert.deepEqual([...new Set(reads.map(({ status }) => status))].sort(), [200, 404]);
  const readOnly = new Set((await sessionsOf(service.database)).map(({ pid }) => pid));

  await promote(service.database);
  const back = performance.now();
  const attempts: TimedReply[] = [];
  await eventually(
    async () => attempts.push(await timed(create(100))) > 0 && attempts.at(-1)?.status === 201,
    RECOVERED_MS,
  );
  const recoveryMs = performance.now() - back;
  for (const reply of attempts.slice(0, -1)) assertUnavailable(reply);
  const replies = await askedBy(5, 6, (number) => inTurn([list, get, create, update])(200 + number));
  assert.ok(replies.every(({ status }) => status < 500));
  await eventually(
    async () => (await sessionsOf(service.database)).every(({ pid }) => !readOnly.has(pid)),
    RECOVERED_MS,
  );
  await assertUnharmed(service);
  t.diagnostic(
    `recovered in ${Math.round(recoveryMs)} ms, after ${attempts.length} attempts; ${readOnly.size} connections left`,
  );
});

interface LostCommit {
  readonly title: string;
  readonly match: Match<PostgresSighting>;
  readonly isSaved: boolean;
}

const lost: readonly LostCommit[] = [
  { title: "after COMMIT arrived", match: committed, isSaved: true },
  { title: "before COMMIT arrived", match: commit, isSaved: false },
];

for (const { title, match, isSaved } of lost) {
  test(`C8: a connection that dies ${title} leaves the outcome unknown, and a retry with the same key makes one user in all`, async (t) => {
    const { service, wire, database } = await usersBehindWire(t);
    const cut = wire.when(match, "cut");
    const key = { "idempotency-key": '"once"' };
    const create = () => sendJson("POST", service.users, { name: "Ada", email: "ada@example.com" }, key);
    assertOutcomeUnknown(await timed(create()));
    await cut.fired;
    assert.equal(await storedUsers(database), isSaved ? 1 : 0);

    const retried = await create();
    assert.equal(retried.status, 201);
    assert.equal(retried.headers.get("idempotency-replayed"), isSaved ? "true" : null);
    assert.deepEqual(await countsOf(database), { users: 1, events: 1, version: 1 });
    await assertUnharmed(service);
  });
}

test("C8: a change without a key whose outcome is unknown is not tried again", async (t) => {
  const { service, wire, database } = await usersBehindWire(t);
  // It is one round trip without a COMMIT: saved once the server is ready again.
  const created = wire.when(
    ({ message, sql }) => message.name === "ReadyForQuery" && /insert into outbox/.test(sql ?? ""),
    "cut",
  );
  assertOutcomeUnknown(await timed(sendJson("POST", service.users, { name: "Ada", email: "ada@example.com" })));
  await created.fired;
  assert.deepEqual(await countsOf(database), { users: 1, events: 1, version: 1 });

  const [ada] = await database.query(testContext(), sql(row({ id: "uuid" }))`select id from users`);
  const updated = wire.when(committed, "cut");
  assertOutcomeUnknown(await timed(sendJson("PATCH", `${service.users}/${ada?.id}`, { name: "Grace" })));
  await updated.fired;
  assert.deepEqual(await countsOf(database), { users: 1, events: 2, version: 2 });
  assert.equal((await userOf(await fetch(`${service.users}/${ada?.id}`))).name, "Grace", "no cache keeps what it was");
  await assertUnharmed(service);
});

/** Sessions that are opened from now on are read-only, as are those to a server that is no longer the primary. */
function demote(database: Database): Promise<number> {
  const demotion = sql`do $$ begin
    execute format('alter database %I set default_transaction_read_only = on', current_database());
  end $$`;
  return database.execute(testContext(), demotion);
}

/** Those that are opened from now on are no longer. */
function promote(database: Database): Promise<number> {
  const promotion = sql`do $$ begin
    execute format('alter database %I reset default_transaction_read_only', current_database());
  end $$`;
  return database.execute(testContext(), promotion);
}

/** The service behind a proxy that acts on frames, and connected. */
async function usersBehindWire(t: TestContext) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const wire = await createPostgresProxy(url);
  t.after(() => wire.close());
  const service = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: wire.url } });
  await service.line("the database is ready");
  return { database, wire, service: Object.assign(service, { users: `${service.url}/api/v1/users` }) };
}

function assertOutcomeUnknown(reply: TimedReply): void {
  assertUnavailable(reply);
  assert.ok(Value.Check(Problem, reply.json) && reply.json.type === OUTCOME_UNKNOWN, JSON.stringify(reply.json));
}

const Counts = row({ users: "int4", events: "int4", version: "int4?" });

async function countsOf(database: Database) {
  const [counts] = await database.query(
    testContext(),
    sql(Counts)`
      select count(*)::int4 as users, max(version) as version, (select count(*)::int4 from outbox) as events from users`,
  );
  return counts;
}
