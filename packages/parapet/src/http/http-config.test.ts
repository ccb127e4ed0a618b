import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../config/index.ts";
import { hasCode } from "../errors/index.ts";
import { drainFits, httpConfig } from "./http-config.ts";

function refusalOf(env: Record<string, string>): string {
  try {
    parseConfig(httpConfig, env);
    return "";
  } catch (thrown) {
    assert.ok(hasCode(thrown, "invalid"));
    return thrown.message;
  }
}

test("the defaults are those of the article's server", () => {
  assert.deepEqual(
    { ...parseConfig(httpConfig, {}) },
    {
      port: 8080,
      adminPort: undefined,
      readTimeoutMs: 15_000,
      writeTimeoutMs: 15_000,
      idleTimeoutMs: 60_000,
      requestTimeoutMs: 10_000,
      drainDelayMs: 5000,
      drainTimeoutMs: 15_000,
      maxBodyBytes: 1_048_576,
      maxConnections: 10_000,
      corsOrigins: [],
      lbIdleMs: undefined,
    },
  );
});

test("a request must have less time than the drain", () => {
  assert.match(refusalOf({ REQUEST_TIMEOUT_MS: "15000" }), /REQUEST_TIMEOUT_MS must be below DRAIN_TIMEOUT_MS/);
  assert.equal(refusalOf({ REQUEST_TIMEOUT_MS: "14999" }), "");
});

test("the admin port is another one, unless the system chooses both", () => {
  assert.match(refusalOf({ ADMIN_PORT: "8080" }), /ADMIN_PORT must be another port than PORT/);
  assert.equal(refusalOf({ PORT: "0", ADMIN_PORT: "0" }), "");
});

test("origins are written as browsers send them", () => {
  for (const origins of ["https://app.example.com", "http://localhost:3000,https://app.example.com:8443"]) {
    assert.equal(refusalOf({ CORS_ORIGINS: origins }), "", origins);
  }
  for (const origins of [
    "*",
    "null",
    "app.example.com",
    "https://app.example.com/",
    "https://App.example.com",
    "https://a.example:443",
    "https://a.example/b",
  ]) {
    assert.match(refusalOf({ CORS_ORIGINS: origins }), /CORS_ORIGINS/, origins);
  }
});

test("no wait may be without an end", () => {
  for (const name of [
    "READ_TIMEOUT_MS",
    "WRITE_TIMEOUT_MS",
    "IDLE_TIMEOUT_MS",
    "REQUEST_TIMEOUT_MS",
    "MAX_CONNECTIONS",
    "MAX_BODY_BYTES",
  ]) {
    assert.match(refusalOf({ [name]: "0" }), new RegExp(name));
  }
  assert.equal(refusalOf({ DRAIN_DELAY_MS: "0" }), "");
});

test("a drain must fit into what the grace of the platform leaves for drains", () => {
  const config = parseConfig(httpConfig, {});
  assert.deepEqual(drainFits(config, 29_500), []);
  assert.deepEqual(drainFits(config, 29_499), [
    "DRAIN_DELAY_MS and DRAIN_TIMEOUT_MS may have 19999 ms together, or SHUTDOWN_GRACE_MS must be longer",
  ]);
});
