import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { sql } from "parapet/postgres";
import {
  eventually,
  faultProxy,
  postgresSandbox,
  type RawResponse,
  rawConnection,
  rawRequest,
  startProcess,
  startService,
  testContext,
} from "parapet/testing";
import { migrations } from "../migrations/index.ts";
import { isAtRest, scrape, underWay } from "./scrape.ts";
import { whileHeld } from "./sessions.ts";
import { rawJson } from "./users-json.ts";
import { BROKER_AWAY, SERVER } from "./users-process.ts";

const USERS = "/api/v1/users";
/** Shorter ones, such as `postgres`, stand in every other line. */
const MIN_LENGTH = 12;

test("F29: a secret that a request brings comes out nowhere, whatever becomes of the request", async (t) => {
  const secrets = new Secrets();
  const { url, database } = await postgresSandbox(t, { migrations });
  const proxy = await faultProxy(t, url);
  const env = {
    DATABASE_URL: secrets.inUrl(proxy.url),
    AMQP_URL: secrets.inUrl(BROKER_AWAY.AMQP_URL),
    LOG_LEVEL: "debug",
    REQUEST_TIMEOUT_MS: "1500",
    DRAIN_DELAY_MS: "0",
  };
  const service = await startService(t, SERVER, { env });
  await service.line("the database is ready");
  const statuses = new Set<number>();
  let received = "";
  const send = async (bytes: string): Promise<RawResponse | undefined> => {
    const exchange = await rawRequest(service.port, secrets.inHeaders(bytes), { timeoutMs: 5000 });
    received += exchange.received.toString();
    for (const { status } of exchange.responses) statuses.add(status);
    return exchange.responses[0];
  };

  const created = await send(rawJson("POST", USERS, { name: "Ada", email: "ada@example.com" }));
  const user = String(created?.headers.location);
  for (const bytes of requestsTo(user, secrets)) await send(bytes);
  const half = rawConnection(t, service.port);
  half.send(secrets.inHeaders(rawJson("POST", USERS, { password: secrets.next() })).slice(0, -2));
  await underWay(service, 1);
  half.reset();
  await eventually(() => isAtRest(service));
  await whileHeld(
    database,
    sql`lock table users in access exclusive mode`,
    async () => void (await send(rawJson("GET", USERS).replace("\r\n\r\n", "\r\ngrpc-timeout: 100m\r\n\r\n"))),
  );
  await database.execute(testContext(), sql`alter table users rename to elsewhere`);
  await send(rawJson("GET", user));
  await proxy.refuse();
  proxy.reset();
  await send(rawJson("GET", USERS));
  await send(rawJson("POST", USERS, { name: "Jo", email: "jo@example.com", password: secrets.next() }));
  await send(rawJson("POST", USERS, { name: "Jo", email: "jo@example.com" }));

  received += (await scrape(service)).text;
  service.kill();
  await service.exited;
  const wanted = [200, 201, 204, 400, 404, 405, 409, 412, 413, 414, 415, 417, 431, 500, 501, 503, 504, 505];
  assert.deepEqual([...statuses].sort(), wanted);
  assert.ok(service.lines.some(({ level }) => level === "debug"));
  assert.deepEqual(secrets.foundIn({ stdout: service.stdout, stderr: service.stderr, received }), []);
  t.diagnostic(`${secrets.count} secrets, ${service.lines.length} lines`);
});

test("F29: the password of the database comes out nowhere, be the address right, wrong or none at all", async (t) => {
  const secrets = new Secrets();
  const { url } = await postgresSandbox(t, { migrations });
  const nobody = "postgres://users@127.0.0.1:1/users";
  const commands = [
    [secrets.inUrl(url), ["--print-config"]],
    [secrets.inUrl(url), ["migrate"]],
    [secrets.inUrl(nobody), ["migrate"]],
    [secrets.inUrl(nobody).replace("://", "//"), []],
    [secrets.inUrl(nobody).replace("postgres:", "mysql:"), []],
    [secrets.inUrl(nobody).replace("127.0.0.1", "no host"), []],
  ] as const;
  for (const [databaseUrl, args] of commands) {
    const ended = startProcess(t, SERVER, {
      env: { ...BROKER_AWAY, DATABASE_URL: databaseUrl, LOG_LEVEL: "debug" },
      args,
    });
    await ended.exited;
    assert.notEqual(ended.stdout + ended.stderr, "");
    assert.deepEqual(secrets.foundIn({ stdout: ended.stdout, stderr: ended.stderr }), []);
  }

  const away = await startService(t, SERVER, {
    env: { ...BROKER_AWAY, DATABASE_URL: secrets.inUrl(nobody), DRAIN_DELAY_MS: "0" },
  });
  await away.line("the database is not ready");
  const answers = await Promise.all(
    ["/readyz", "/health", "/metrics", USERS].map(async (path) => (await fetch(away.url + path)).text()),
  );
  away.kill();
  await away.exited;
  assert.deepEqual(secrets.foundIn({ stdout: away.stdout, stderr: away.stderr, answers: answers.join() }), []);
});

/** Requests that come to every other end that a request can come to, with secrets wherever clients put them. */
function requestsTo(user: string, secrets: Secrets): readonly string[] {
  const secret = (): string => secrets.next();
  const jo = { name: "Jo", email: "jo@example.com" };
  return [
    rawJson("GET", user),
    rawJson("PATCH", user, { name: "Grace" }),
    rawJson("POST", USERS, { name: "Ada", email: "ada@example.com" }),
    rawJson("DELETE", user).replace("\r\n", `\r\nif-match: "${secret()}"\r\n`),
    rawJson("GET", `${USERS}?token=${secret()}&access_token=${secret()}`),
    rawJson("GET", `${USERS}?cursor=${secret()}&limit=${secret()}`),
    rawJson("GET", `/nowhere?api_key=${secret()}`),
    rawJson("GET", `${USERS}?session=${secret()}${"x".repeat(9000)}`),
    rawJson("GET", `http://user:${secret()}@users${USERS}`),
    rawJson("PUT", `${user}?password=${secret()}`),
    rawJson("BREW", `${USERS}?password=${secret()}`),
    rawJson("POST", USERS, { ...jo, password: secret(), nested: { token: secret() } }),
    rawJson("POST", USERS, { name: [secret()], email: secret() }),
    rawJson("POST", USERS, { ...jo, name: `\u0000${secret()}` }),
    rawJson("POST", USERS, `{"password":"${secret()}","name":}`),
    rawJson("POST", USERS, `{"password":"${secret()}","password":"${secret()}"}`),
    rawJson("POST", USERS, secret()),
    rawJson("POST", USERS, { password: secret() }).replace("application/json", `text/${secret()}`),
    rawJson("POST", USERS, { password: secret() }).replace(/length: \d+/, "length: 2000000"),
    rawJson("POST", USERS, { password: secret() }).replace("\r\n", `\r\nexpect: ${secret()}\r\n`),
    rawJson("GET", USERS).replace("\r\n", `\r\ncookie: session=${secret()}${"x".repeat(20_000)}\r\n`),
    rawJson("GET", USERS).replace("\r\n", `\r\nauthorization ${secret()}\r\n`),
    rawJson("GET", USERS).replace("host: users", `host: user:${secret()}@users`),
    rawJson("GET", USERS).replace("1.1", secret()),
    rawJson("DELETE", user),
  ];
}

/** Makes secrets, each its own, and finds them again in whatever form. */
class Secrets {
  readonly #made: string[] = [];

  get count(): number {
    return this.#made.length;
  }

  next(): string {
    const secret = randomBytes(12).toString("hex");
    this.#made.push(secret);
    return secret;
  }

  /** With a password that has to be encoded, or with its own when it has one, since that server asks for it. */
  inUrl(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    if (url.password === "") url.password = `p@ss/w:rd "${this.next()}`;
    else if (url.password.length >= MIN_LENGTH) this.#made.push(url.password);
    return url.href;
  }

  /** With credentials in every header that is there for them. */
  inHeaders(bytes: string): string {
    const basic = Buffer.from(`ada:${this.next()}`).toString("base64");
    const fields = [
      `authorization: Bearer ${this.next()}`,
      `proxy-authorization: Basic ${basic}`,
      `cookie: theme=dark; session=${this.next()}`,
      `x-api-key: ${this.next()}`,
    ];
    return bytes.replace("\r\n", `\r\n${fields.join("\r\n")}\r\n`);
  }

  /** What was found where: as it is, encoded for a URL or JSON, which leave its letters alone, or in base64. */
  foundIn(outputs: Readonly<Record<string, string>>): readonly string[] {
    return Object.entries(outputs).flatMap(([name, text]) =>
      this.#made.flatMap(formsOf).flatMap((form) => (text.includes(form) ? [`${name}: ${around(text, form)}`] : [])),
    );
  }
}

function formsOf(secret: string): readonly string[] {
  // Wherever it begins among the encoded bytes, without the characters that it shares with its neighbours.
  const encoded = ["", "x", "xx"].map((before) =>
    Buffer.from(before + secret)
      .toString("base64")
      .slice(4, -4),
  );
  return [secret, ...encoded];
}

function around(text: string, form: string): string {
  const at = text.indexOf(form);
  return text.slice(Math.max(0, at - 100), at + 100);
}
