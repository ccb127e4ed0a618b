import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { row, sql } from "parapet/postgres";
import {
  eventually,
  type LogLine,
  type RawResponse,
  rawConnection,
  rawRequest,
  type Service,
  testContext,
} from "parapet/testing";
import { problemOf } from "./problem-of.ts";
import { isAtRest, scrape, underWay } from "./scrape.ts";
import { lockedOut, storedUsers, whileHeld } from "./sessions.ts";
import { createAda, rawJson, sendJson, userOf } from "./users-json.ts";
import { startUsers, startUsersBehindProxy } from "./users-process.ts";

const ada = { name: "Ada", email: "ada@example.com" };
const john = { name: "John", email: "john@example.com" };

test("F1: a caller that leaves in the middle of its body stores nothing, and is no error of the service", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const requests = [
    rawJson("POST", "/api/v1/users", { name: "Half", email: "half@example.com" }),
    rawJson("PATCH", `/api/v1/users/${id}`, { name: "Half" }),
    rawJson("POST", "/api/v1/users", '6\r\n{"name').replace(/content-length: \d+/, "transfer-encoding: chunked"),
  ];
  for (const bytes of requests) {
    for (const leave of ["reset", "close"] as const) {
      const connection = rawConnection(t, service.port);
      connection.send(bytes.slice(0, -4));
      await underWay(service, 1);
      connection[leave]();
      await eventually(() => isAtRest(service), 1000);
    }
  }
  const left = await abandoned(service);
  assert.equal(left.length, 2 * requests.length);
  assert.ok(left.every(({ level, client_closed }) => level === "info" && client_closed === true));
  assert.deepEqual(await loudLines(service), []);
  const { series } = await scrape(service);
  assert.equal(series.get('http_requests_total{method="POST",endpoint="/api/v1/users",status="499"}'), 4);
  assert.equal(series.get('http_requests_total{method="PATCH",endpoint="/api/v1/users/{id}",status="499"}'), 2);
  assert.equal(await storedUsers(service.database), 1);
  assert.equal((await userOf(await fetch(`${service.users}/${id}`))).version, 1);
});

test("F2: a caller that leaves while its write waits has written nothing, and holds nothing a second later", async (t) => {
  const service = await startUsers(t);
  const user = await createAda(service);
  const path = `/api/v1/users/${user.id}`;
  const writes = [
    { lock: sql`lock table users in share mode`, bytes: rawJson("POST", "/api/v1/users", john) },
    { lock: sql`select id from users for update`, bytes: rawJson("PATCH", path, { name: "Never" }) },
    { lock: sql`select id from users for update`, bytes: rawJson("DELETE", path) },
  ];
  for (const { lock, bytes } of writes) {
    const connection = rawConnection(t, service.port);
    await whileHeld(service.database, lock, async () => {
      connection.send(bytes);
      await lockedOut(service.database, 1);
      connection.reset();
      await eventually(() => isAtRest(service), 1000);
    });
  }
  assert.equal(await storedUsers(service.database), 1);
  assert.deepEqual(await userOf(await fetch(`${service.users}/${user.id}`)), user);
  assert.equal((await abandoned(service)).length, writes.length);
  assert.deepEqual(await loudLines(service), []);
});

test("F2: whenever a caller leaves, its write is there as a whole or not at all", async (t) => {
  const service = await startUsersBehindProxy(t);
  // As far away as the next town, so that there is time to leave at every step of a transaction.
  await service.proxy.latency(2);
  const { id } = await createAda(service);
  const writes = 100;
  for (let n = 1; n <= writes; n++) {
    const name = `Name ${n}`;
    await Promise.all([
      leave(t, service, rawJson("POST", "/api/v1/users", { name, email: `create-${n}@example.com` })),
      leave(t, service, rawJson("PATCH", `/api/v1/users/${id}`, { name, email: `change-${n}@example.com` })),
    ]);
  }
  await eventually(() => isAtRest(service), 1000);
  const stored = await service.database.query(
    testContext(),
    sql(row({ id: "uuid", name: "text", email: "text", email_key: "text", version: "int4", is_new: "bool" }))`
      select id, name, email, email_key, version, created_at = updated_at as is_new from users`,
  );
  for (const user of stored.filter(({ email }) => email !== ada.email)) {
    const [, kind, number] = /^(create|change)-(\d+)@example.com$/.exec(user.email) ?? [];
    assert.equal(kind, user.id === id ? "change" : "create");
    assert.equal(user.name, `Name ${number}`);
    assert.equal(user.email_key, user.email);
    assert.equal(user.is_new, user.version === 1);
  }
  const changed = stored.find((user) => user.id === id);
  assert.deepEqual(await loudLines(service), []);
  t.diagnostic(
    `of ${writes} users ${stored.length - 1} were created; of ${writes} changes ${Number(changed?.version) - 1} made`,
  );
});

test("F12: a key that would reach a prototype is refused by its name, and reaches none", async (t) => {
  const service = await startUsers(t);
  const { id } = await createAda(service);
  const bodies = [
    '{"name":"Jo","__proto__":{"email":"polluted@example.com"}}',
    '{"name":"Jo","email":"jo@example.com","__proto__":{"email":"polluted@example.com"}}',
    '{"name":"Jo","email":"jo@example.com","constructor":{"prototype":{"email":"polluted@example.com"}}}',
    '{"__proto__":{"name":"Jo","email":"polluted@example.com"}}',
    '{"name":{"__proto__":{"email":"polluted@example.com"}},"email":"jo@example.com"}',
  ];
  for (const body of bodies) {
    for (const bytes of [rawJson("POST", "/api/v1/users", body), rawJson("PATCH", `/api/v1/users/${id}`, body)]) {
      const problem = problemOf(await answerTo(service, bytes));
      assert.equal(problem.status, 400, body);
      assert.ok(
        (problem.errors ?? []).some(({ field }) => /__proto__|constructor|name/.test(field)),
        body,
      );
    }
  }
  for (const query of ["__proto__=1", "__proto__[email]=1", "constructor.prototype.email=1", "limit[__proto__]=1"]) {
    assert.equal(problemOf(await answerTo(service, rawJson("GET", `/api/v1/users?${query}`))).status, 400, query);
  }
  // Were the address anybody's by now, it would not be missed.
  const missing = problemOf(await answerTo(service, rawJson("POST", "/api/v1/users", { name: "Jo" })));
  assert.deepEqual(
    missing.errors?.map(({ field, rule }) => [field, rule]),
    [["email", "required"]],
  );
  assert.equal(await storedUsers(service.database), 1);
});

test("F16: text of any script is kept as it came, and what could fake a log line or a terminal's colours stays one line", async (t) => {
  const service = await startUsers(t);
  const names = ["\u202enhoJ", "a\u2028b\u2029c", "a\ufeffb", "\u{1f469}\u200d\u{1f680}", '"}\\n{"level":"error"'];
  for (const [index, name] of names.entries()) {
    const created = await userOf(await sendJson("POST", service.users, { name, email: `n${index}@example.com` }));
    assert.equal((await userOf(await fetch(`${service.users}/${created.id}`))).name, name);
  }
  for (const name of ["a\nb", "a\u001b[31mb", "a\u0085b", "\u007f"]) {
    assert.equal((await sendJson("POST", service.users, { name, email: "never@example.com" })).status, 400);
  }
  assert.equal(problemOf(await answerTo(service, rawJson("GET", "/%0a%1b[31m"))).status, 400);
  const path = '/"}%c2%85{"level":"error"}%e2%80%ae%e2%80%a8';
  assert.equal(problemOf(await answerTo(service, rawJson("GET", path))).status, 404);
  await eventually(() => service.lines.some((line) => line.path === path));
  assert.deepEqual(await loudLines(service), []);
  assert.equal(service.stdout.trimEnd().split("\n").length, service.lines.length);
  assert.doesNotMatch(service.stdout, /[^\n\P{Cc}]|[\u2028\u2029\p{Bidi_Control}]/u);
  assert.equal(await storedUsers(service.database), names.length);
});

test("F24: a field that the contract does not know is refused by its name, and nothing is stored", async (t) => {
  const service = await startUsers(t);
  const user = await createAda(service);
  const extra = {
    isAdmin: true,
    id: "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41",
    version: 7,
    createdAt: "2026-01-01T00:00:00Z",
  };
  for (const [field, value] of Object.entries(extra)) {
    for (const bytes of [
      rawJson("POST", "/api/v1/users", { name: "Jo", email: "jo@example.com", [field]: value }),
      rawJson("PATCH", `/api/v1/users/${user.id}`, { name: "Jo", [field]: value }),
      rawJson("GET", `/api/v1/users?limit=1&${field}=${value}`),
    ]) {
      const { status, errors } = problemOf(await answerTo(service, bytes));
      assert.equal(status, 400);
      assert.deepEqual(
        errors?.map(({ field, detail }) => `${field} ${detail}`),
        [`${field} is not a known field`],
      );
    }
  }
  assert.equal(await storedUsers(service.database), 1);
  assert.deepEqual(await userOf(await fetch(`${service.users}/${user.id}`)), user);
});

test("F29: every error is a problem document with the request's id, and shows nothing of the inside", async (t) => {
  const service = await startUsers(t, { env: { READ_TIMEOUT_MS: "1000" } });
  const user = await createAda(service);
  const users = "/api/v1/users";
  const path = `${users}/${user.id}`;
  const cases: readonly (readonly [status: number, bytes: string])[] = [
    [400, rawJson("GET", `${users}/nope`)],
    [400, rawJson("GET", `${users}?limit=many&cursor=nope`)],
    [400, rawJson("GET", "/a/../b")],
    [400, rawJson("GET", users).replace("host: users\r\n", "")],
    [400, rawJson("GET", users).replace("host", "host\u0000")],
    [400, rawJson("POST", users, '{"name":')],
    [400, rawJson("POST", users, '{"name":"\u00ff"}')],
    [400, rawJson("POST", users, [john])],
    [400, rawJson("POST", users)],
    [400, rawJson("POST", users, { name: " ", email: "john" })],
    [404, rawJson("GET", "/nowhere")],
    [404, rawJson("GET", `${users}/01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41`)],
    [405, rawJson("PUT", path, john)],
    [408, rawJson("POST", users, john).slice(0, -4)],
    [408, rawJson("GET", users).slice(0, -4)],
    [409, rawJson("POST", users, ada)],
    [412, rawJson("DELETE", path).replace("\r\n", '\r\nif-match: "7"\r\n')],
    [413, rawJson("POST", users, "x").replace("length: 1", "length: 2000000")],
    [414, rawJson("GET", `/${"x".repeat(9000)}`)],
    [415, rawJson("POST", users, john).replace("application/json", "text/plain")],
    [415, rawJson("POST", users, john).replace("\r\n", "\r\ncontent-encoding: gzip\r\n")],
    [417, rawJson("POST", users, john).replace("\r\n", "\r\nexpect: more\r\n")],
    [431, rawJson("GET", users).replace("\r\n", `\r\nx-long: ${"x".repeat(20_000)}\r\n`)],
    [431, rawJson("GET", users).replace("\r\n", `\r\n${"x-many: 1\r\n".repeat(101)}`)],
    [501, rawJson("BREW", users)],
    [501, "CONNECT users:80 HTTP/1.1\r\nhost: users\r\n\r\n"],
    [505, rawJson("GET", users).replace("1.1", "2.0")],
  ];
  for (const [status, bytes] of cases) {
    const problem = problemOf(await answerTo(service, bytes));
    assert.equal(problem.status, status, bytes.slice(0, 100));
    assert.notEqual(problem.detail, undefined);
  }
  assert.deepEqual(await loudLines(service), []);
});

test("F29: a bug is an answer without a detail and one line in the log that has them all", async (t) => {
  const service = await startUsers(t);
  await service.database.execute(testContext(), sql`alter table users rename column email to address`);
  const requests = [rawJson("GET", "/api/v1/users"), rawJson("POST", "/api/v1/users", john)];
  for (const bytes of requests) {
    const problem = problemOf(await answerTo(service, bytes));
    assert.deepEqual([problem.status, problem.code, problem.detail], [500, "internal", undefined]);
    const lines = (await logged(service)).filter(
      (line) => line.request_id === problem.instance && line.level === "error",
    );
    assert.equal(lines.length, 1);
    assert.match(JSON.stringify(lines), /column .+email.+ does not exist.*"sqlstate":"42703"/);
  }
  assert.equal((await fetch(`${service.url}/livez`)).status, 200);
});

test("F29: what the database costs a caller is told without a word of the database's", async (t) => {
  const service = await startUsersBehindProxy(t, { env: { REQUEST_TIMEOUT_MS: "400" } });
  const bytes = rawJson("GET", "/api/v1/users");
  await whileHeld(service.database, sql`lock table users in access exclusive mode`, async () => {
    assert.equal(problemOf(await answerTo(service, bytes)).status, 504);
  });
  await service.proxy.refuse();
  service.proxy.reset();
  const away = await answerTo(service, bytes);
  assert.equal(problemOf(away).status, 503);
  assert.match(String(away.headers["retry-after"]), /^[1-9]\d?$/);
});

/** Sends a request and leaves: before the first byte is read at the earliest, after the last answer is out at the latest. */
async function leave(t: TestContext, { port }: Service, bytes: string): Promise<void> {
  const connection = rawConnection(t, port);
  connection.send(bytes);
  await delay(Math.random() * 35);
  connection.reset();
}

/** The one answer to a request, whole and in time. */
async function answerTo({ port }: Service, bytes: string): Promise<RawResponse> {
  const { responses, rest, end } = await rawRequest(port, bytes, { timeoutMs: 5000 });
  const [answer] = responses;
  assert.deepEqual([responses.length, rest.length, end], [1, 0, "closed"], bytes.slice(0, 100));
  assert.ok(answer);
  return answer;
}

/** The access lines of requests whose callers left before they were answered. */
async function abandoned(service: Service): Promise<readonly LogLine[]> {
  return (await logged(service)).filter(({ msg, status }) => msg === "request" && status === 499);
}

/** What somebody would be called out of bed for. */
async function loudLines(service: Service): Promise<readonly LogLine[]> {
  const complaints = (await logged(service)).filter(({ level }) => level === "warn" || level === "error");
  return complaints.filter(({ msg }) => msg !== "the broker has no connection");
}

/** All that it has logged so far. */
async function logged(service: Service): Promise<readonly LogLine[]> {
  const { headers } = await fetch(`${service.url}/nowhere`);
  await eventually(() => service.lines.some(({ request_id }) => request_id === headers.get("x-request-id")));
  return service.lines;
}
