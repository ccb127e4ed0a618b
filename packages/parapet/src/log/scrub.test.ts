import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppError } from "../errors/index.ts";
import { createLogger, registerSecret, scrubText } from "./index.ts";

function linesOf(work: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  work(createLogger({ service: "x", level: "info", sink: { write: (_level, line) => lines.push(line) } }));
  for (const line of lines) JSON.parse(line);
  return lines.join("");
}

function withProperties(message: string, properties: object): Error {
  return Object.assign(new Error(message), properties);
}

const PASSWORD = 'c4n4ry/p%ss w"rd';
const DATABASE_URL = `postgres://app:${encodeURIComponent(PASSWORD)}@db.internal:5432/users`;
registerSecret(DATABASE_URL);
registerSecret("canary-api-key-000");

// The ways of finding 13 of the reliability notes: how secrets get into logs in practice.
const leaks: Readonly<Record<string, Record<string, unknown>>> = {
  "the arguments of a cache command": {
    error: withProperties("WRONGTYPE", { command: { name: "set", args: ["k", "CANARY"] } }),
  },
  "the arguments of an AUTH command": {
    error: withProperties("NOAUTH", { command: { name: "auth", args: ["app", "CANARY"] } }),
  },
  "the input of an invalid URL": {
    error: withProperties("Invalid URL", { code: "ERR_INVALID_URL", input: "postgres://a:CANARY@h:x" }),
  },
  "a client's message about credentials in a URL": {
    error: new TypeError("Request cannot be constructed from a URL that includes credentials: http://app:CANARY@h/"),
  },
  "a header by another case": { headers: { AUTHORIZATION: "Token CANARY", "Set-Cookie": ["sid=CANARY"] } },
  "a header of an HTTP client's error": {
    error: withProperties("failed", { config: { headers: { authorization: "CANARY" } } }),
  },
  "a key nested three levels deep": { a: { b: { c: { clientSecret: "CANARY" } } } },
  "a key within a list": { users: [{ name: "a", password: "CANARY" }] },
  "text that a value was put into": { note: `could not connect to ${DATABASE_URL}` },
  "the cause of a cause": {
    error: new Error("a", { cause: new Error("b", { cause: new Error(`no ${DATABASE_URL}`) }) }),
  },
  "a driver's detail": {
    error: withProperties("duplicate key", { detail: "Key (token)=(CANARY) already exists.", where: "CANARY" }),
  },
  "the fields of an application error": {
    error: new AppError("internal", "x", { fields: { url: DATABASE_URL, api_key: "CANARY" } }),
  },
  "basic credentials, encoded": { header: `Basic ${Buffer.from(`app:${PASSWORD}`).toString("base64")}` },
  "an encoded part of something": { blob: Buffer.from(`xy${PASSWORD}z`).toString("base64") },
  "a decoded URL": { url: decodeURIComponent(DATABASE_URL) },
  "JSON within text": { body: JSON.stringify({ deep: JSON.stringify({ value: PASSWORD }) }) },
  "a key of an object": { "canary-api-key-000": 1 },
};

for (const [way, fields] of Object.entries(leaks)) {
  test(`${way} does not leak`, () => {
    const line = linesOf((log) => {
      log.info("something failed", fields);
      log.child(fields).error("something failed");
    });
    const canaries = ["CANARY", "canary-api-key-000", "c4n4ry", Buffer.from(PASSWORD).toString("base64").slice(0, 10)];
    for (const canary of canaries) assert.equal(line.includes(canary), false, line);
    assert.equal(line.split("something failed").length, 3, "the line itself is still there");
  });
}

const shapes: Readonly<Record<string, readonly [string, string]>> = {
  "a JSON Web Token": ["got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl here", "got [masked] here"],
  "a password in a URL": ["amqp://svc:p@ss:w0rd@mq:5672/v", "amqp://svc:[masked]@mq:5672/v"],
  "a password without a user": ["redis://:pw@cache:6379", "redis://:[masked]@cache:6379"],
  "a bearer token": ["Authorization: bearer abc.DEF-123_~+/=", "Authorization: bearer [masked]"],
  "basic credentials": ["Basic dXNlcjpwYXNz", "Basic [masked]"],
  "a private key": ["a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b", "a [masked] b"],
  "a private key that was cut off": ["a -----BEGIN PRIVATE KEY-----\nMIIE", "a [masked]"],
  "an AWS access key": ["key AKIAIOSFODNN7EXAMPLE!", "key [masked]!"],
};

for (const [shape, [text, masked]] of Object.entries(shapes)) {
  test(`${shape} is masked by its shape`, () => {
    assert.equal(scrubText(text), masked);
    const line: { text?: string } = JSON.parse(linesOf((log) => log.info("x", { text })));
    assert.equal(line.text, masked);
  });
}

test("what only resembles a secret stays", () => {
  for (const text of [
    "http://localhost:8080/users/bob@example.com",
    "see https://example.com/a:b and mail me@example.com",
    "a bearer of news",
    "-----BEGIN CERTIFICATE-----",
    "12:34:56",
  ]) {
    assert.equal(scrubText(text), text);
  }
});

test("keys that name secrets hide their values, unless those are a yes, a no or nothing", () => {
  const line = JSON.parse(
    linesOf((log) =>
      log.info("x", {
        password: 123456,
        accessToken: { a: 1 },
        "x-api-key": ["k"],
        has_password: true,
        token: null,
        keyboard: 1,
      }),
    ),
  );
  assert.deepEqual(
    [line.password, line.accessToken, line["x-api-key"], line.has_password, line.token, line.keyboard],
    ["[masked]", "[masked]", "[masked]", true, null, 1],
  );
});

test("a secret of digits is masked within a number too, and the line stays valid", () => {
  registerSecret("73519846");
  const line = JSON.parse(linesOf((log) => log.info("x", { pin: 73519846, longer: 1735198467, text: "73519846" })));
  assert.deepEqual([line.pin, line.longer, line.text], ["[masked]", "[masked]", "[masked]"]);
});

test("a secret that starts like an escape sequence does not break the line", () => {
  registerSecret("nabcde");
  const line = JSON.parse(linesOf((log) => log.info("x", { text: "\nabcde", other: "nabcde" })));
  assert.deepEqual([line.text, line.other], ["\nabcde", "[masked]"]);
});

test("a URL's password is a secret by itself, also in a URL that cannot be parsed", () => {
  registerSecret("redis://:first-canary-1@cache:6379/0");
  registerSecret("postgres://u:second/canary#2@db:99999999/x");
  registerSecret("amqp://u:p@mq/v?sslPassword=third-canary-3");
  assert.equal(scrubText("first-canary-1, second/canary#2, third-canary-3"), "[masked], [masked], [masked]");
});

test("a password that repeats the user name is not a word to hide", () => {
  registerSecret("postgres://postgres:postgres@localhost:5432/postgres");
  assert.equal(scrubText("postgres is away"), "postgres is away");
});

test("values too short to be told from words are not looked for", () => {
  registerSecret("short");
  registerSecret("");
  assert.equal(scrubText("a short text"), "a short text");
});

test("a registered secret does not show in any line, whatever it is made of and wherever it stands", () => {
  const wraps: readonly ((secret: string) => string)[] = [
    (secret) => secret,
    (secret) => `before${secret}after`,
    encodeURIComponent,
    (secret) => Buffer.from(`user:${secret}`).toString("base64"),
    (secret) => JSON.stringify({ secret }),
  ];
  // Few, since they are registered for the rest of the process.
  const secrets = fc.sample(fc.string({ unit: "grapheme-ascii", minLength: 9, maxLength: 30 }), 25);
  for (const secret of secrets) registerSecret(`~${secret}~`);
  fc.assert(
    fc.property(fc.constantFrom(...secrets), fc.constantFrom(...wraps), fc.string(), (secret, wrap, noise) => {
      const wrapped = wrap(`~${secret}~`);
      const lines = linesOf((log) => log.info(noise + wrapped, { a: { b: [wrapped + noise] } }));
      const { msg, a }: { msg: string; a: { b: string[] } } = JSON.parse(lines);
      assert.ok(!msg.includes(wrapped) && !a.b.join().includes(wrapped), lines);
    }),
  );
});

test("looking for secrets takes linear time, whatever the text", () => {
  const hostile = ["eyJ", "-eyJ", "://a:", "bearer ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN A ", "Basic "];
  const started = performance.now();
  for (const part of hostile) linesOf((log) => log.info("x", { text: part.repeat(32_768 / part.length) }));
  assert.ok(performance.now() - started < 1000);
});
