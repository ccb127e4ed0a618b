import assert from "node:assert/strict";
import { createServer as createNetServer } from "node:net";
import { test } from "node:test";
import { parseConfig } from "../config/index.ts";
import { AppError } from "../errors/index.ts";
import { createRegistry } from "../metrics/index.ts";
import { eventually, rawConnection, rawRequest, testContext } from "../testing/index.ts";
import { httpConfig } from "./http-config.ts";
import { get, ping, serve } from "./server.suite.ts";
import { createServer, type HttpServer } from "./server.ts";

function unstarted(env: Record<string, string> = {}): HttpServer {
  const { log } = testContext();
  return createServer({
    ...parseConfig(httpConfig, { PORT: "0", ...env }),
    log,
    routes: [ping()],
    metrics: createRegistry(),
  });
}

test("a port that is taken is said by its number and its setting", async (t) => {
  const { port } = await serve(t, []);
  const taken = String(port);
  for (const [env, variable] of [
    [{ PORT: taken }, "PORT"],
    [{ ADMIN_PORT: taken }, "ADMIN_PORT"],
  ] as const) {
    const server = unstarted(env);
    const ctx = testContext();
    await assert.rejects(server.start(ctx), (thrown) => {
      assert.ok(thrown instanceof AppError);
      assert.equal(thrown.code, "unavailable");
      assert.equal(
        thrown.message,
        `port ${port} is in use: stop what listens there, or set ${variable} to another port`,
      );
      return true;
    });
    await server.stop(ctx);
    assert.equal(server.nodeServer.listening, false);
  }
});

test("a start that is stopped half way ends as canceled, and nothing listens", async () => {
  const server = unstarted({ ADMIN_PORT: "0" });
  const ctx = testContext();
  const started = server.start(ctx);
  await server.stop(ctx);
  await assert.rejects(started, { code: "canceled" });
  assert.equal(server.nodeServer.listening, false);
});

test("a server that was never started can be stopped", async () => {
  const server = unstarted();
  assert.deepEqual(await server.stop(testContext()), { http: 0 });
  assert.equal(server.port, 0);
});

test("one connection too many is closed at once, and there is room again when another leaves", async (t) => {
  const { port, metric } = await serve(t, [ping()], { maxConnections: 2 });
  const held = [rawConnection(t, port), rawConnection(t, port)];
  await eventually(async () => (await metric("http_connections")) === 2);
  const surplus = await rawRequest(port, get("/ping"));
  assert.deepEqual([surplus.responses.length, surplus.end === "open"], [0, false]);
  assert.equal(await metric("http_connections_refused_total"), 1);
  held[0]?.close();
  await eventually(async () => (await metric("http_connections")) === 1);
  assert.equal((await rawRequest(port, get("/ping", "Connection: close"))).responses[0]?.status, 200);
});

test("a connection that could not be accepted is a warning, not the end", async (t) => {
  const { server, port, lines } = await serve(t, [ping()]);
  server.nodeServer.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }));
  assert.equal(lines.at(-1)?.level, "warn");
  assert.equal((await rawRequest(port, get("/ping", "Connection: close"))).responses[0]?.status, 200);
});

test("it warns when the load balancer keeps idle connections longer than it does", async (t) => {
  for (const [lbIdleMs, warnings] of [
    [59_999, 0],
    [60_000, 1],
    [350_000, 1],
  ] as const) {
    const { lines } = await serve(t, [], { lbIdleMs });
    assert.equal(lines.filter(({ level }) => level === "warn").length, warnings);
  }
});

test("the health command asks the port it serves on", async (t) => {
  const server = unstarted();
  const ctx = testContext();
  t.after(async () => void (await server.stop(ctx)));
  await server.start(ctx);
  const { port } = server;
  const probe = (env: Record<string, string>) => unstarted(env).commands?.health?.(ctx);
  await probe({ PORT: String(port) });
  await probe({ PORT: "1", ADMIN_PORT: String(port) });
  await server.stop(ctx);
  await assert.rejects(Promise.resolve(probe({ PORT: String(port) })), { code: "unavailable" });
});

test("the health command ends with its context when nobody answers", async (t) => {
  const silent = createNetServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.after(() => void silent.close());
  const address = silent.address();
  assert.ok(address !== null && typeof address === "object");
  const ctx = testContext();
  const asked = unstarted({ PORT: String(address.port) }).commands?.health?.(ctx);
  ctx.cancel(new AppError("canceled", "enough"));
  await assert.rejects(Promise.resolve(asked), { code: "unavailable" });
});
