import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../errors/index.ts";
import { ping, route, serve } from "./server.suite.ts";

const APP = "https://app.example.com";
const preflight = (origin: string) => ({ origin, "access-control-request-method": "POST" });

function corsOf(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control|vary)/.test(name)));
}

test("without an allow-list no origin's script may read anything", async (t) => {
  const { request } = await serve(t, [ping()]);
  for (const origin of [APP, "null", "*"]) {
    assert.deepEqual(corsOf((await request({ path: "/ping", headers: { origin } })).headers), {});
    assert.deepEqual(
      corsOf((await request({ method: "OPTIONS", path: "/ping", headers: preflight(origin) })).headers),
      {},
    );
  }
});

test("an origin of the allow-list may read answers, errors too, and no other may", async (t) => {
  const refuses = route("GET", "/refuses", async () => {
    throw new AppError("conflict", "it is taken");
  });
  const { request } = await serve(t, [ping(), refuses], { corsOrigins: [APP, "http://localhost:3000"] });
  for (const path of ["/ping", "/refuses", "/nowhere", "/a//b"]) {
    assert.deepEqual(corsOf((await request({ path, headers: { origin: APP } })).headers), {
      vary: "origin",
      "access-control-allow-origin": APP,
      "access-control-expose-headers": "etag, location, retry-after, x-request-id",
    });
  }
  const others = [
    `${APP}.evil.example`,
    "https://APP.example.com",
    "http://app.example.com",
    `${APP}:443`,
    "null",
    "*",
    `${APP}, ${APP}`,
    undefined,
  ];
  for (const origin of others) {
    const headers = origin === undefined ? {} : { origin };
    assert.deepEqual(corsOf((await request({ path: "/ping", headers })).headers), { vary: "origin" }, origin);
  }
});

test("a preflight is answered for an allowed origin with the path's methods", async (t) => {
  const { request } = await serve(t, [ping(), route("POST", "/ping", async () => ({ status: 201 }))], {
    corsOrigins: [APP],
  });
  const { status, headers } = await request({ method: "OPTIONS", path: "/ping", headers: preflight(APP) });
  assert.equal(status, 204);
  assert.deepEqual(corsOf(headers), {
    vary: "origin",
    "access-control-allow-origin": APP,
    "access-control-allow-methods": "GET, HEAD, OPTIONS, POST",
    "access-control-allow-headers":
      "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id",
    "access-control-expose-headers": "etag, location, retry-after, x-request-id",
    "access-control-max-age": "600",
  });
  const other = await request({ method: "OPTIONS", path: "/ping", headers: preflight("https://evil.example") });
  assert.deepEqual([other.status, corsOf(other.headers)], [204, { vary: "origin" }]);
});

test("what else an answer varies by stays said", async (t) => {
  const varies = route("GET", "/varies", async () => ({ status: 200, headers: { vary: "accept-language" } }));
  const { request } = await serve(t, [varies], { corsOrigins: [APP] });
  assert.equal((await request({ path: "/varies" })).headers.vary, "accept-language, origin");
});
