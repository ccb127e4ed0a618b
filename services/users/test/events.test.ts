import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AmqpSighting,
  confirm,
  createAmqpProxy,
  createPostgresProxy,
  type Fate,
  type Match,
  type PostgresSighting,
  replyTo,
  statement,
} from "@parapet/wire";
import {
  announcedIn,
  eventually,
  faultProxy,
  forEachSeed,
  postgresSandbox,
  startService,
  type TestScope,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import type { User } from "../pkg/client/index.ts";
import { firedInTime } from "./fired-in-time.ts";
import { publishedEvents, typesOf } from "./published-events.ts";
import { counted } from "./scrape.ts";
import { createAda, sendJson, userOf } from "./users-json.ts";
import { exits, SERVER, startUsers } from "./users-process.ts";

const CREATED = "users.user.created.v1";
const UPDATED = "users.user.updated.v1";
const DELETED = "users.user.deleted.v1";

test("each change of a user is published in its order, as its contract has it, and leaves the outbox", async (t) => {
  const events = await publishedEvents(t);
  const service = await startUsers(t, { env: { AMQP_URL: events.amqpUrl, DRAIN_DELAY_MS: "0" } });
  const created = await createAda(service);
  const address = `${service.users}/${created.id}`;
  const updated = await userOf(await sendJson("PATCH", address, { name: "Ada Lovelace" }));
  assert.equal((await fetch(address, { method: "DELETE" })).status, 204);
  assert.deepEqual(await typesOf(events, created.id, 3), [CREATED, UPDATED, DELETED]);
  const [first, second, third] = await events.of(created.id);
  assert.deepEqual([first?.data, second?.data, third?.data], [created, updated, updated]);
  await eventually(async () => (await announcedIn(service.database)).length === 0);
  assert.equal(await counted(service, 'outbox_publish_total{result="ok"}'), 3);
  service.kill();
  await exits(t, service, { code: 0, withinMs: 3000 });
});

test("E1: without a broker the service is ready and saves users, and their events follow when one is there", async (t) => {
  const events = await publishedEvents(t);
  const proxy = await faultProxy(t, events.amqpUrl);
  await proxy.refuse();
  const service = await startUsers(t, { env: { AMQP_URL: proxy.url } });
  await service.line("the database is ready");
  assert.equal((await fetch(`${service.url}/readyz`)).status, 200);
  const user = await createAda(service);
  for (const name of ["A", "B", "C"])
    await userOf(await sendJson("PATCH", `${service.users}/${user.id}`, { name: `Ada ${name}` }));
  assert.equal((await announcedIn(service.database)).length, 4);
  await proxy.pass();
  assert.deepEqual(await typesOf(events, user.id, 4), [CREATED, UPDATED, UPDATED, UPDATED]);
  const names = (await events.of(user.id)).map(({ data }) => data.name);
  assert.deepEqual(names.slice(1), ["Ada A", "Ada B", "Ada C"]);
});

test("E4: resets of the broker's connections lose no event, and change no order", async (t) => {
  const events = await publishedEvents(t);
  const proxy = await faultProxy(t, events.amqpUrl);
  const service = await startUsers(t, { env: { AMQP_URL: proxy.url } });
  const user = await createAda(service);
  for (let n = 0; n < 30; n++) {
    if (n % 10 === 5) proxy.reset();
    await userOf(await sendJson("PATCH", `${service.users}/${user.id}`, { name: `Ada ${n}` }));
  }
  await eventually(async () => (await announcedIn(service.database)).length === 0, 20_000);
  const names = new Set((await events.of(user.id)).map(({ data }) => data.name));
  assert.deepEqual(
    [...names].slice(1),
    Array.from({ length: 30 }, (_, n) => `Ada ${n}`),
  );
});

interface KillPoint {
  readonly id: string;
  readonly title: string;
  /** The frame at which the process is killed, and what becomes of it. */
  readonly amqp?: { readonly match: Match<AmqpSighting>; readonly fate: Fate };
  readonly postgres?: { readonly match: Match<PostgresSighting>; readonly fate: Fate };
  /** How often the event arrives, under one id. */
  readonly copies: number;
}

const DELETE = /^delete from outbox/i;
const points: readonly KillPoint[] = [
  {
    id: "K7",
    title: "killed with the event published and not confirmed",
    amqp: { match: confirm, fate: "hold" },
    copies: 2,
  },
  {
    id: "K8",
    title: "killed with the event confirmed and not deleted",
    postgres: { match: statement(DELETE), fate: "hold" },
    copies: 2,
  },
  {
    id: "K9",
    title: "killed with the event deleted",
    postgres: { match: replyTo(DELETE), fate: "pass" },
    copies: 1,
  },
];

test("K6: killed after the reply, before its event was published: the next process publishes it", async (t) => {
  await forEachSeed(t, async (random, scope) => {
    const { events, url, amqp, start } = await usersBehindWires(scope);
    const away = await faultProxy(scope, events.amqpUrl);
    await away.refuse();
    const service = await start({ AMQP_URL: away.url });
    const user = await createAda(service);
    await delay(random.below(20));
    service.kill("SIGKILL");
    await service.exited;
    const next = await start({ DATABASE_URL: url, AMQP_URL: amqp.url });
    assert.deepEqual(await typesOf(events, user.id, 1), [CREATED]);
    next.kill("SIGKILL");
    await next.exited;
  });
});

for (const { id, title, amqp, postgres, copies } of points) {
  test(`${id}: ${title}: it arrives ${copies === 1 ? "once" : "again, under its id"}, and none follows`, async (t) => {
    await forEachSeed(t, async (random, scope) => {
      const users = await usersBehindWires(scope);
      const service = await users.start({ DATABASE_URL: users.postgres.url, AMQP_URL: users.amqp.url });
      const trap = amqp && users.amqp.when(amqp.match, amqp.fate);
      const other = postgres && users.postgres.when(postgres.match, postgres.fate);
      const user = await createAda(service);
      await firedInTime((trap ?? other)?.fired ?? assert.fail("there is no frame to kill at"));
      await delay(random.below(3));
      service.kill("SIGKILL");
      await service.exited;
      // As the kill would have lost it.
      users.amqp.reset();
      users.postgres.reset();
      const next = await users.start();
      const after = await createAnother(next);
      await typesOf(users.events, after.id, 1);
      await eventually(async () => (await announcedIn(users.database)).length === 0, 15_000);
      const arrived = await users.events.of(user.id);
      assert.deepEqual([new Set(arrived.map((event) => event.id)).size, arrived.length], [1, copies]);
      next.kill("SIGKILL");
      await next.exited;
    });
  });
}

/** The shipped service behind proxies that act on frames. */
async function usersBehindWires(t: TestScope) {
  const events = await publishedEvents(t);
  const { url, database } = await postgresSandbox(t, { migrations });
  const [postgres, amqp] = [await createPostgresProxy(url), await createAmqpProxy(events.amqpUrl)];
  t.after(() => Promise.all([postgres.close(), amqp.close()]).then(() => {}));
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const service = await startService(t, SERVER, { env: { DATABASE_URL: url, AMQP_URL: events.amqpUrl, ...env } });
    await service.line("the database is ready");
    return service;
  };
  return { events, url, database, postgres, amqp, start };
}

async function createAnother({ url }: { readonly url: string }): Promise<User> {
  return userOf(await sendJson("POST", `${url}/api/v1/users`, { name: "Bob", email: "bob@example.com" }));
}
