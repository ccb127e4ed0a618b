import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "./server.suite.ts";

test("it is alive whatever it depends on, ready when all of it was reached, and says what it waits for", async (t) => {
  const reasons: Record<string, string | undefined> = { database: "no connection yet", broker: "no connection yet" };
  const ready = Object.keys(reasons).map((name) => ({ name, notReadyBecause: () => reasons[name] }));
  const { request } = await serve(t, [], { ready });
  const ask = async (path: string) => {
    const { status, body } = await request({ path });
    return { status, ...JSON.parse(body) };
  };
  assert.deepEqual(await ask("/livez"), { status: "ok" });
  assert.equal((await request({ path: "/livez" })).status, 200);
  assert.equal((await request({ path: "/readyz" })).status, 503);
  assert.deepEqual(await ask("/readyz"), { status: "not ready", reasons });
  reasons.broker = undefined;
  assert.deepEqual(await ask("/readyz"), { status: "not ready", reasons: { database: "no connection yet" } });
  reasons.database = undefined;
  assert.equal((await request({ path: "/readyz" })).status, 200);
  assert.deepEqual(await ask("/readyz"), { status: "ok" });
  assert.equal((await request({ path: "/health" })).status, 200);
  assert.equal(typeof (await ask("/health")).uptime_seconds, "number");
});

test("metrics are exposed in the format that they say", async (t) => {
  const { request } = await serve(t, []);
  const { status, headers, body } = await request({ path: "/metrics" });
  assert.deepEqual([status, headers["cache-control"]], [200, "no-store"]);
  assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4; charset=utf-8$/);
  assert.match(body, /^http_requests_in_flight 1$/m);
  assert.match(body, /^http_connections \d+$/m);
});

test("metrics leave the service's port for the admin port, where the probes answer too", async (t) => {
  const { request, lines } = await serve(t, [], { adminPort: 0 });
  assert.equal((await request({ path: "/metrics" })).status, 404);
  assert.equal((await request({ path: "/livez" })).status, 200);
  const port = lines.find(({ msg }) => msg === "listening")?.admin_port;
  for (const path of ["/metrics", "/livez", "/readyz", "/health"]) {
    assert.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 200, path);
  }
});
