import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bundleFile } from "@parapet/dev";
import {
  type AmqpSighting,
  acknowledgement,
  commit,
  committed,
  createAmqpProxy,
  createPostgresProxy,
  delivery,
  type Fate,
  type Match,
  type PostgresSighting,
} from "@parapet/wire";
import { userCreated, userUpdated } from "@services/users";
import { type Broker, createBroker, queuesOf } from "parapet/messaging";
import { createRegistry } from "parapet/metrics";
import { row, sql } from "parapet/postgres";
import {
  eventually,
  forEachSeed,
  postgresSandbox,
  rabbitSandbox,
  type ServiceProcess,
  startProcess,
  type TestScope,
  testContext,
} from "parapet/testing";

const folder = mkdtempSync(join(tmpdir(), "user-counter-"));
/** One file, as services are: it starts in a tenth of the time. */
const COUNTER = join(folder, "user-counter.mjs");
before(() =>
  bundleFile({ entry: fileURLToPath(new URL("user-counter.ts", import.meta.url)), outfile: COUNTER }).then(() => {}),
);
after(() => rmSync(folder, { recursive: true, force: true }));

const FIRED_MS = 10_000;

/** A counter's database and queue, of its own on the servers that all share. */
async function counterOf(t: TestScope) {
  const rabbit = await rabbitSandbox(t);
  const { url, database } = await postgresSandbox(t, {});
  const env = { DATABASE_URL: url, AMQP_URL: rabbit.url, GROUP: rabbit.group() };
  const migration = startProcess(t, COUNTER, { env, args: ["migrate"] });
  assert.equal((await migration.exited).code, 0, migration.stdout + migration.stderr);
  const ctx = testContext();
  const broker = createBroker(rabbit.url, { log: ctx.log, metrics: createRegistry() });
  await broker.start(ctx);
  t.after(() => broker.stop(testContext()).then(() => {}));
  const start = async (of: Partial<typeof env> = {}): Promise<ServiceProcess> => {
    const counter = startProcess(t, COUNTER, { env: { ...env, ...of } });
    await counter.line("messages are taken", 30_000);
    return counter;
  };
  const Count = row({ n: "int4" });
  /** How often events of a user were counted. */
  const counted = async (userId: string): Promise<number> =>
    (
      await database.query(ctx, sql(Count)`select coalesce(sum(n), 0)::int4 as n from counts where user_id = ${userId}`)
    )[0]?.n ?? 0;
  const isEmpty = async (): Promise<boolean> => {
    const { main, parking, retries } = queuesOf(env.GROUP);
    const counts = await Promise.all([main, parking, ...retries].map((queue) => rabbit.channel.checkQueue(queue)));
    return counts.every(({ messageCount }) => messageCount === 0);
  };
  return { env, start, broker, counted, isEmpty };
}

/** Publishes an event of a user, as its service would. */
async function publish(broker: Broker, userId: string, type = userCreated.type): Promise<void> {
  const at = "2026-01-31T12:00:00.000Z";
  const user = { id: userId, name: "Ada", email: "ada@example.com", createdAt: at, updatedAt: at, version: 1 };
  const data = Buffer.from(JSON.stringify(user));
  const attributes = { id: randomUUID(), type, source: "users", key: userId, time: new Date(), headers: {} };
  await broker.publish(testContext(), { ...attributes, data });
}

async function firedInTime(fired: Promise<unknown>): Promise<void> {
  const late = delay(FIRED_MS, "late", { ref: false });
  assert.notEqual(await Promise.race([fired, late]), "late", "the frame to kill at was never seen");
}

test("the counter counts each event of a user once, and shows what it counted", async (t) => {
  const { env, start, broker, counted } = await counterOf(t);
  const counter = await start();
  const userId = randomUUID();
  await publish(broker, userId);
  for (let n = 0; n < 3; n++) await publish(broker, userId, userUpdated.type);
  await eventually(async () => (await counted(userId)) === 4);
  counter.kill();
  assert.equal((await counter.exited).code, 0);
  const shown = startProcess(t, COUNTER, { env, args: ["show"] });
  await shown.exited;
  assert.match(shown.stdout, /^users\.user\.created\.v1: \d+, of \d+ users$/m);
  assert.match(shown.stdout, /^users\.user\.updated\.v1: \d+, of \d+ users$/m);
});

interface KillPoint {
  readonly id: string;
  readonly title: string;
  /** The frame at which the counter is killed, and what becomes of it. */
  readonly amqp?: { readonly match: Match<AmqpSighting>; readonly fate: Fate };
  readonly postgres?: { readonly match: Match<PostgresSighting>; readonly fate: Fate };
}

const points: readonly KillPoint[] = [
  {
    id: "K10",
    title: "killed as a message is delivered",
    amqp: { match: delivery(userCreated.type), fate: "pass" },
  },
  { id: "K11", title: "killed with the commit sent and not arrived", postgres: { match: commit, fate: "hold" } },
  { id: "K12", title: "killed with the effect committed", postgres: { match: committed, fate: "hold" } },
  {
    id: "K12",
    title: "killed with the acknowledgement sent and not arrived",
    amqp: { match: acknowledgement, fate: "hold" },
  },
  { id: "K13", title: "killed after the acknowledgement arrived", amqp: { match: acknowledgement, fate: "pass" } },
];

for (const { id, title, amqp, postgres } of points) {
  test(`${id}: ${title}: the next process counts the event once`, async (t) => {
    await forEachSeed(t, async (random, scope) => {
      const { env, start, broker, counted, isEmpty } = await counterOf(scope);
      const wires = {
        amqp: await createAmqpProxy(env.AMQP_URL),
        postgres: await createPostgresProxy(env.DATABASE_URL),
      };
      scope.after(() => Promise.all([wires.amqp.close(), wires.postgres.close()]).then(() => {}));
      const counter = await start({ AMQP_URL: wires.amqp.url, DATABASE_URL: wires.postgres.url });
      const users = Array.from({ length: 1 + random.below(4) }, () => randomUUID());
      const trap = amqp ? wires.amqp.when(amqp.match, amqp.fate) : undefined;
      const other = postgres ? wires.postgres.when(postgres.match, postgres.fate) : undefined;
      for (const user of users) await publish(broker, user);
      await firedInTime((trap ?? other)?.fired ?? assert.fail("there is no frame to kill at"));
      await delay(random.below(3));
      counter.kill("SIGKILL");
      await counter.exited;
      // As the kill would have lost it.
      wires.amqp.reset();
      wires.postgres.reset();
      const next = await start();
      await eventually(async () => (await Promise.all(users.map(counted))).every((n) => n > 0), 15_000);
      await eventually(isEmpty, 15_000);
      assert.deepEqual(
        await Promise.all(users.map(counted)),
        users.map(() => 1),
      );
      next.kill();
      await next.exited;
    });
  });
}
