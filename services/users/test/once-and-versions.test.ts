import assert from "node:assert/strict";
import { test } from "node:test";
import { createPostgresProxy, statement } from "@parapet/wire";
import { postgresSandbox, startService } from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { storedUsers } from "./sessions.ts";
import { createAda, sendJson, userOf } from "./users-json.ts";
import { BROKER_AWAY, SERVER, startUsers } from "./users-process.ts";

const isReplay = ({ headers }: Response) => headers.get("idempotency-replayed") === "true";

test("F26: fifty requests with one key at once are one user: one creates, the others are replays or told to come back", async (t) => {
  const service = await startUsers(t);
  const key = { "idempotency-key": '"one"' };
  const ada = { name: "Ada", email: "ada@example.com" };
  const replies = await Promise.all(Array.from({ length: 50 }, () => sendJson("POST", service.users, ada, key)));
  const created = replies.filter((reply) => reply.status === 201 && !isReplay(reply));
  const replayed = replies.filter((reply) => reply.status === 201 && isReplay(reply));
  const busy = replies.filter(({ status, headers }) => status === 409 && headers.get("retry-after") !== null);
  assert.deepEqual([created.length, created.length + replayed.length + busy.length], [1, 50]);
  const bodies = await Promise.all([...created, ...replayed].map((reply) => reply.text()));
  assert.equal(new Set(bodies).size, 1);
  assert.equal(await storedUsers(service.database), 1);
  assert.equal((await sendJson("POST", service.users, { ...ada, name: "Eve" }, key)).status, 422);
  // The email address is taken, and a failure is kept by nobody: another user may have the key.
  const other = { "idempotency-key": '"two"' };
  assert.equal((await sendJson("POST", service.users, ada, other)).status, 409);
  assert.equal((await sendJson("POST", service.users, { name: "Bob", email: "bob@example.com" }, other)).status, 201);
  assert.equal(await storedUsers(service.database), 2);
});

test("F27: of changes to one version at once one succeeds; the versions count the successes", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const url = `${service.users}/${id}`;
  let succeeded = 0;
  const client = async (name: string) => {
    for (let round = 0; round < 5; round++) {
      const tag = String((await fetch(url)).headers.get("etag"));
      const { status } = await sendJson("PATCH", url, { name: `${name} ${round}` }, { "if-match": tag });
      assert.ok(status === 200 || status === 412, String(status));
      if (status === 200) succeeded++;
    }
  };
  await Promise.all(Array.from({ length: 50 }, (_, n) => client(`client ${n}`)));
  assert.ok(succeeded >= 5, String(succeeded));
  assert.equal((await userOf(await fetch(url))).version, 1 + succeeded);
});

test("F27: changes that expect no version follow one another, and each is counted", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const url = `${service.users}/${id}`;
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => sendJson("PATCH", url, { name: `name ${n}` })),
  );
  const versions = await Promise.all(replies.map(async (reply) => (await userOf(reply)).version));
  assert.deepEqual(
    versions.sort((one, other) => one - other),
    Array.from({ length: 50 }, (_, n) => n + 2),
  );
});

test("H5: a request whose deadline is over is answered 504, and the database hears nothing of it", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  const wire = await createPostgresProxy(url);
  t.after(() => wire.close());
  const service = await startService(t, SERVER, { env: { ...BROKER_AWAY, DATABASE_URL: wire.url } });
  await service.line("the database is ready");
  const asked: (string | undefined)[] = [];
  const isOfUsers = statement(/\busers\b/i);
  wire.onMessage((seen) => {
    if (isOfUsers(seen)) asked.push(seen.sql);
  });
  const users = `${service.url}/api/v1/users`;
  for (const headers of [
    { "x-envoy-expected-rq-timeout-ms": "1" },
    { "grpc-timeout": "4m" },
    { "connect-timeout-ms": "0" },
  ]) {
    assert.equal((await fetch(users, { headers })).status, 504);
    assert.equal((await sendJson("POST", users, { name: "Ada", email: "ada@example.com" }, headers)).status, 504);
  }
  assert.deepEqual(asked, []);
  assert.equal((await fetch(users, { headers: { "grpc-timeout": "5S" } })).status, 200);
  assert.equal(asked.length, 1);
});
