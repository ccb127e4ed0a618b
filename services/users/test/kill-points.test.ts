import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  commit,
  committed,
  createPostgresProxy,
  type Fate,
  type Match,
  type PostgresSighting,
  replyTo,
  statement,
} from "@parapet/wire";
import { row, sql } from "parapet/postgres";
import {
  eventually,
  faultProxy,
  forEachSeed,
  postgresSandbox,
  type SeededRandom,
  startService,
  type TestScope,
  testContext,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { firedInTime } from "./fired-in-time.ts";
import { sendJson } from "./users-json.ts";
import { BROKER_AWAY, SERVER } from "./users-process.ts";

/** After a restart, how long a client's retries have until the service is itself again. */
const SETTLE_MS = 15_000;

interface KillPoint {
  readonly id: string;
  readonly title: string;
  /** The frame at which the process is killed, and what becomes of it. */
  readonly match: Match<PostgresSighting>;
  readonly fate: Fate;
  /** What must not get through any more, since the process runs on for a moment. */
  readonly behind?: Match<PostgresSighting>;
  /** Whether the effect is there then: the retry is a replay. */
  readonly isSaved: boolean;
}

const points: readonly KillPoint[] = [
  {
    id: "K1",
    title: "killed before the first frame to the database",
    match: statement(/^begin/i),
    fate: "hold",
    isSaved: false,
  },
  {
    id: "K2",
    title: "killed in the middle of the transaction, its first statements answered",
    match: replyTo(/^select pg_try_advisory_xact_lock/i),
    fate: "pass",
    behind: statement(/^insert into users/i),
    isSaved: false,
  },
  {
    id: "K3",
    title: "killed with the commit sent and not arrived",
    match: commit,
    fate: "hold",
    isSaved: false,
  },
  {
    id: "K4",
    title: "killed with the commit done and its answer not arrived",
    match: committed,
    fate: "hold",
    isSaved: true,
  },
];

for (const point of points) {
  test(`${point.id}: ${point.title}: a retry with the same key finds or makes one user, one event, one reply`, async (t) => {
    await forEachSeed(t, (random, scope) => killedAt(scope, point, random));
  });
}

test("K5: killed with the commit done and its reply withheld: a retry with the same key is a replay", async (t) => {
  await forEachSeed(t, async (random, scope) => {
    const users = await usersBehindWire(scope, random);
    const link = await faultProxy(scope, users.service.url);
    const begun = users.wire.when(statement(/^begin/i));
    const done = users.wire.when(committed);
    // It will never hear.
    void create(new URL(link.url).origin, users.key).catch(() => {});
    await firedInTime(begun.fired);
    await link.blackhole();
    await firedInTime(done.fired);
    await delay(random.below(5));
    await killed(users.service);
    await retriedOnce(scope, users, { isSaved: true });
  });
});

async function killedAt(
  t: TestScope,
  { match, fate, behind, isSaved }: KillPoint,
  random: SeededRandom,
): Promise<void> {
  const users = await usersBehindWire(t, random);
  const trap = users.wire.when(match, fate);
  if (behind !== undefined) users.wire.when(behind, "hold");
  // Impatient clients send it more than once: they are one claim.
  for (let n = random.below(3); n >= 0; n--) void create(users.service.url, users.key).catch(() => {});
  await firedInTime(trap.fired);
  await delay(random.below(3));
  await killed(users.service);
  // As the kill would have lost it.
  users.wire.reset();
  await retriedOnce(t, users, { isSaved });
}

type UsersBehindWire = Awaited<ReturnType<typeof usersBehindWire>>;

/** The shipped service behind a proxy that acts on frames, with some history: its statements may be prepared already. */
async function usersBehindWire(t: TestScope, random: SeededRandom) {
  const { url, database } = await postgresSandbox(t, { migrations });
  const wire = await createPostgresProxy(url);
  t.after(() => wire.close());
  const service = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: wire.url } });
  await service.line("the database is ready");
  for (let n = random.below(3); n > 0; n--) await create(service.url, `before ${n}`, `before-${n}@example.com`);
  return { url, database, wire, service, key: `key ${random.seed}` };
}

function create(serviceUrl: string, key: string, email = "ada@example.com"): Promise<Response> {
  const headers = { "idempotency-key": JSON.stringify(key) };
  return sendJson("POST", `${serviceUrl}/api/v1/users`, { name: "Ada", email }, headers);
}

async function killed(service: UsersBehindWire["service"]): Promise<void> {
  service.kill("SIGKILL");
  await service.exited;
}

/** Starts the service again and retries, as a client would: what was saved is replayed, and all there is is there once. */
async function retriedOnce(t: TestScope, users: UsersBehindWire, { isSaved }: { isSaved: boolean }): Promise<void> {
  const again = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: users.url } });
  let first: Response | undefined;
  await eventually(async () => {
    first = await create(again.url, users.key);
    return first.ok;
  }, SETTLE_MS);
  const second = await create(again.url, users.key);
  assert.deepEqual([first?.status, second.status], [201, 201]);
  assert.deepEqual([isReplay(first), isReplay(second)], [isSaved, true]);
  assert.equal(await first?.text(), await second.text());
  assert.deepEqual(await countsOf(users), { users: 1, events: 1, replies: 1 });
  await killed(again);
}

function isReplay(response: Response | undefined): boolean {
  return response?.headers.get("idempotency-replayed") === "true";
}

const Counts = row({ users: "int4", events: "int4", replies: "int4" });

/** How many there are of what the request was to make. */
async function countsOf({ database, key }: UsersBehindWire) {
  const [counts] = await database.query(
    testContext(),
    sql(Counts)`
      select (select count(*)::int4 from users where email = 'ada@example.com') as users,
        (select count(*)::int4 from outbox where aggregateid in (select id::text from users where email = 'ada@example.com')
          or convert_from(payload, 'UTF8') like '%"ada@example.com"%') as events,
        (select count(*)::int4 from idempotency_keys where key = ${key}) as replies`,
  );
  return counts;
}
