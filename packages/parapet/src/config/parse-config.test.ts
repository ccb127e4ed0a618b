import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../errors/index.ts";
import { scrubText } from "../log/index.ts";
import {
  type ConfigOf,
  defineConfig,
  durationMs,
  flag,
  integer,
  list,
  oneOf,
  parseConfig,
  port,
  text,
  url,
} from "./index.ts";

const description = "for the tests";

const httpConfig = defineConfig(
  {
    port: port("PORT", { default: 8080, description }),
    adminPort: port("ADMIN_PORT", { optional: true, description }),
    readTimeoutMs: durationMs("READ_TIMEOUT_MS", { default: 15_000, min: 1, description }),
    idleTimeoutMs: durationMs("IDLE_TIMEOUT_MS", { default: 60_000, min: 1, description }),
  },
  ({ readTimeoutMs, idleTimeoutMs }) =>
    idleTimeoutMs < readTimeoutMs ? ["IDLE_TIMEOUT_MS must not be below READ_TIMEOUT_MS"] : [],
);

const usersConfig = defineConfig({
  logLevel: oneOf("LOG_LEVEL", ["debug", "info"], { default: "info", description }),
  databaseUrl: url("DATABASE_URL", {
    protocols: ["postgres:", "postgresql:"],
    secret: true,
    example: "postgres://users:password@localhost:5432/users",
    description,
  }),
  http: httpConfig,
  mail: {
    apiKey: text("MAIL_API_KEY", { secret: true, description, example: "key-0123456789" }),
    origins: list("MAIL_ORIGINS", { default: [], description }),
    dryRun: flag("MAIL_DRY_RUN", { default: false, description }),
    perSecond: integer("MAIL_PER_SECOND", { min: 1, max: 100, optional: true, description }),
  },
});

const needed = { DATABASE_URL: "postgres://users:correct-horse@db:5432/users", MAIL_API_KEY: "key-battery-staple" };

/** The message with all problems. */
function problemsOf(env: Readonly<Record<string, string>>): string {
  let message = "";
  assert.throws(
    () => parseConfig(usersConfig, env),
    (thrown) => {
      message = thrown instanceof Error ? thrown.message : "";
      return hasCode(thrown, "invalid");
    },
  );
  return message;
}

test("the environment and the defaults make a configuration of plain, typed values", () => {
  const config: ConfigOf<typeof usersConfig> = parseConfig(usersConfig, { ...needed, PORT: "0", MAIL_ORIGINS: "a, b" });
  const typed: {
    readonly logLevel: "debug" | "info";
    readonly databaseUrl: string;
    readonly http: { readonly port: number; readonly adminPort: number | undefined };
    readonly mail: { readonly origins: readonly string[]; readonly dryRun: boolean };
  } = config;
  assert.deepEqual(typed, {
    logLevel: "info",
    databaseUrl: needed.DATABASE_URL,
    http: { port: 0, adminPort: undefined, readTimeoutMs: 15_000, idleTimeoutMs: 60_000 },
    mail: { apiKey: needed.MAIL_API_KEY, origins: ["a", "b"], dryRun: false, perSecond: undefined },
  });
  // @ts-expect-error what may be missing must be looked at before it is used
  assert.throws(() => config.http.adminPort.toFixed());
});

test("a configuration is frozen through and through", () => {
  const config = parseConfig(usersConfig, needed);
  assert.deepEqual([config, config.http, config.mail, config.mail.origins].map(Object.isFrozen), [
    true,
    true,
    true,
    true,
  ]);
});

test("an empty variable is not set: the default applies, or it is missing", () => {
  assert.equal(parseConfig(usersConfig, { ...needed, PORT: "" }).http.port, 8080);
  assert.match(problemsOf({ ...needed, DATABASE_URL: "" }), /DATABASE_URL is not set/);
});

test("all problems come in one message, each with its variable, what is expected and an example", () => {
  const message = problemsOf({ LOG_LEVEL: "loud", PORT: "8080abc", IDLE_TIMEOUT_MS: "1e3", MAIL_DRY_RUN: "yes" });
  assert.equal(
    message,
    [
      "the configuration has 6 problems",
      'LOG_LEVEL is a text: "loud"\n  expected: one of debug, info\n  example:  LOG_LEVEL=info',
      "DATABASE_URL is not set\n  expected: a URL that starts with postgres:// or postgresql://, kept secret\n  example:  DATABASE_URL=postgres://users:password@localhost:5432/users",
      'PORT is a text: "8080abc"\n  expected: a port, a whole number from 0 to 65535\n  example:  PORT=8080',
      'IDLE_TIMEOUT_MS is a number: "1e3"\n  expected: a whole number of milliseconds from 1 to 2147483647\n  example:  IDLE_TIMEOUT_MS=60000',
      "MAIL_API_KEY is not set\n  expected: a secret text of at least 6 characters\n  example:  MAIL_API_KEY=key-0123456789",
      'MAIL_DRY_RUN is a text: "yes"\n  expected: true or false (or 1 or 0)\n  example:  MAIL_DRY_RUN=false',
    ].join("\n\n"),
  );
});

test("no message shows a secret, wherever it was pasted", () => {
  const secret = "postgres//users:tr0ub4dor@db/users";
  const message = problemsOf({
    DATABASE_URL: secret,
    LOG_LEVEL: secret,
    PORT: "http://a:tr0ub4dor-3@b",
    MAIL_API_KEY: "tr0ub",
  });
  assert.equal(message.includes("tr0ub"), false, message);
  for (const variable of ["DATABASE_URL", "LOG_LEVEL", "PORT", "MAIL_API_KEY"])
    assert.ok(message.includes(`${variable} is`));
});

test("a long value is shown shortened, on one line", () => {
  const message = problemsOf({ ...needed, LOG_LEVEL: `a\nb${"c".repeat(1000)}` });
  assert.match(message, /LOG_LEVEL is a text: "a\\nbc{37}\.\.\."/);
});

test("rules between settings are checked, and only once the settings themselves are right", () => {
  const broken = { ...needed, IDLE_TIMEOUT_MS: "10" };
  assert.equal(
    problemsOf(broken),
    "the configuration has a problem\n\nIDLE_TIMEOUT_MS must not be below READ_TIMEOUT_MS",
  );
  assert.doesNotMatch(problemsOf({ ...broken, PORT: "x" }), /must not be below/);
  assert.match(problemsOf({ ...broken, LOG_LEVEL: "x" }), /LOG_LEVEL[\s\S]*must not be below/);
});

test("a secret is masked in the log from now on, a URL's password by itself", () => {
  parseConfig(usersConfig, needed);
  assert.equal(scrubText("correct-horse or key-battery-staple"), "[masked] or [masked]");
});

test("two settings cannot read the same variable", () => {
  const again = port("PORT", { default: 1, description });
  assert.throws(() => defineConfig({ http: httpConfig, again }), { code: "internal" });
});

test("whatever the environment holds, reading it gives a configuration or a complete complaint", () => {
  const value = fc.option(fc.oneof(fc.string(), fc.integer().map(String), fc.constant("true")), { nil: undefined });
  const names = [
    "LOG_LEVEL",
    "PORT",
    "ADMIN_PORT",
    "READ_TIMEOUT_MS",
    "IDLE_TIMEOUT_MS",
    "MAIL_ORIGINS",
    "MAIL_DRY_RUN",
  ];
  const environment = fc
    .tuple(...names.map(() => value))
    .map((values) => Object.fromEntries(names.map((name, i) => [name, values[i]])));
  fc.assert(
    fc.property(environment, (env) => {
      try {
        parseConfig(usersConfig, { ...env, ...needed });
      } catch (thrown) {
        assert.ok(hasCode(thrown, "invalid"));
      }
    }),
  );
});
