import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { row, sql } from "parapet/postgres";
import { eventually, type LoadOptions, postgresSandbox, startLoad, startService, testContext } from "parapet/testing";
import { Value } from "typebox/value";
import { migrations } from "../migrations/index.ts";
import { User } from "../pkg/client/index.ts";
import { randomMoments } from "./random-moments.ts";
import { underWay } from "./scrape.ts";
import { sendJson } from "./users-json.ts";
import { BROKER_AWAY, exits, SERVER, startUsersBehindProxy, untilClosed } from "./users-process.ts";

const Stored = row({ id: "uuid", email: "text" });

const POISONS = {
  "an uncaught exception": { code: "throw poison", origin: "uncaughtException" },
  "an unhandled rejection": { code: "Promise.reject(poison)", origin: "unhandledRejection" },
};

for (const [what, { code, origin }] of Object.entries(POISONS)) {
  // Into the bundle as it is, to be set off by a signal that nobody uses.
  const poison = `process.on("SIGWINCH", () => { const poison = new Error("poison"); ${code}; })`;
  const main = [process.execPath, "--import", `data:text/javascript,${encodeURIComponent(poison)}`, SERVER];

  test(`A12: ${what} is logged once, with its stack; who is served is answered; the process ends`, async (t) => {
    const service = await startUsersBehindProxy(t, { main });
    await service.proxy.blackhole();
    const answered = fetch(service.users);
    await underWay(service, 1);
    service.kill("SIGWINCH");
    await untilClosed(service);
    await service.proxy.pass();
    assert.equal((await answered).status, 200);
    await exits(t, service, { code: 1, withinMs: 3000 });
    const errors = service.lines.filter(({ level }) => level === "error");
    assert.deepEqual(
      errors.map(({ msg }) => msg),
      ["uncaught exception"],
    );
    assert.equal(errors[0]?.origin, origin);
    assert.match(JSON.stringify(errors[0]?.error), /Error: poison\\n {4}at .*data:text\/javascript/);
    assert.equal(service.stderr, "");
  });

  test(`A12: ${what} leaves who can't be answered two seconds`, async (t) => {
    const service = await startUsersBehindProxy(t, { main });
    await service.proxy.blackhole();
    const answered = fetch(service.users);
    await underWay(service, 1);
    service.kill("SIGWINCH");
    assert.equal((await answered).status, 503);
    await exits(t, service, { code: 1, withinMs: 5000 });
  });
}

test("SIGKILL at any moment of a write load loses no acknowledged user, and who asks again gets one user", async (t) => {
  const { url, database } = await postgresSandbox(t, { migrations });
  const ledger: Ledger = { attempted: new Set(), acknowledged: new Map() };
  const start = () => startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: url } });
  for (const moment of randomMoments(t, { count: 3, belowMs: 1000 })) {
    const service = await start();
    const load = startLoad(t, {
      url: service.url,
      keepAliveClients: 10,
      freshClients: 2,
      maxThinkMs: 5,
      ...writing(ledger),
    });
    await eventually(() => load.report().ok > 0);
    await delay(moment);
    service.kill("SIGKILL");
    await service.exited;
    const { failures } = await load.stop();
    assert.deepEqual(
      Object.keys(failures).filter((reason) => reason.startsWith("status")),
      [],
    );
  }
  const service = await start();
  const unanswered = [...ledger.attempted].filter((email) => !ledger.acknowledged.has(email));
  for (const email of unanswered) {
    const { status } = await sendJson("POST", `${service.url}/api/v1/users`, { name: "Ada", email });
    assert.ok(status === 201 || status === 409, `${status}`);
  }
  const users = await database.query(testContext(), sql(Stored)`select id, email from users`);
  assert.deepEqual(users.map(({ email }) => email).sort(), [...ledger.attempted].sort());
  const ids = new Map(users.map(({ id, email }) => [email, id]));
  for (const [email, id] of ledger.acknowledged) assert.equal(ids.get(email), id);
  t.diagnostic(`${ledger.acknowledged.size} acknowledged, ${unanswered.length} not`);
});

/** What the clients know. */
interface Ledger {
  /** The email address of each user that somebody asked for. */
  readonly attempted: Set<string>;
  /** The id of each user that was said to be created, by its email address. */
  readonly acknowledged: Map<string, string>;
}

/** A load that creates users, each with an email address of its own, and keeps the ledger. */
function writing({ attempted, acknowledged }: Ledger): Pick<LoadOptions, "request" | "onReply"> {
  return {
    request: () => {
      const email = `${attempted.size}@example.com`;
      attempted.add(email);
      const headers = { "content-type": "application/json" };
      return { method: "POST", path: "/api/v1/users", headers, body: JSON.stringify({ name: "Ada", email }) };
    },
    onReply: (reply) => {
      const user = reply.json();
      if (Value.Check(User, user)) acknowledged.set(user.email, user.id);
    },
  };
}
