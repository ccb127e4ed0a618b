import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, rawConnection, rawRequest, splitResponses } from "../testing/index.ts";
import { rawRoute, routeGroup } from "./route.ts";
import { gate, get, ping, post, serve } from "./server.suite.ts";

const LAST = "Connection: close";

function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "x-method": request.method ?? "" });
  request.pipe(response);
}

test("a raw route answers all methods at its path and below it, and nothing else", async (t) => {
  const { port } = await serve(t, [...rawRoute("/old/*", echo), ...rawRoute("/one", echo), ping("/old/ping")]);
  const statusOf = async (bytes: string) => (await rawRequest(port, bytes)).responses[0]?.status;
  for (const path of ["/old", "/old/", "/old/a", "/old/a/b?c=d", "/one"]) {
    const { responses } = await rawRequest(port, post(path, "body", LAST));
    assert.deepEqual([responses[0]?.status, String(responses[0]?.body)], [200, "body"], path);
    assert.match(String(responses[0]?.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
  }
  assert.equal(await statusOf(get("/one/a", LAST)), 404);
  assert.equal(await statusOf(get("/older", LAST)), 404);
  assert.equal(await statusOf(get("/old/a/../b", LAST)), 400);
  assert.equal((await rawRequest(port, get("/old/ping", LAST))).responses[0]?.headers["x-method"], undefined);
  const { responses } = await rawRequest(port, get("/old", LAST).replace("GET", "PROPFIND"));
  assert.equal(responses[0]?.headers["x-method"], "PROPFIND");
});

test("a group gives its prefix to raw routes, too", async (t) => {
  const { request } = await serve(t, routeGroup({ prefix: "/v0" }, rawRoute("/*", echo)));
  assert.equal((await request({ path: "/v0/a" })).status, 200);
  assert.equal((await request({ path: "/a" })).status, 404);
});

test("a listener that throws, at once or later, is a 500 and one line in the log", async (t) => {
  const { request, lines } = await serve(t, [
    ...rawRoute("/throws", () => {
      throw new Error("broken");
    }),
    ...rawRoute("/rejects", async () => {
      await delay(1);
      throw new Error("broken");
    }),
  ]);
  for (const path of ["/throws", "/rejects"]) assert.equal((await request({ path })).status, 500);
  assert.equal(lines.filter(({ level }) => level === "error").length, 2);
});

test("a listener that fails with half of its answer sent has it cut, so that nobody takes it for whole", async (t) => {
  const { port, lines, metric } = await serve(t, [
    ...rawRoute("/half", async (_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      await delay(5);
      throw new Error("broken");
    }),
  ]);
  const { rest, end } = await rawRequest(port, get("/half"));
  assert.notEqual(end, "open");
  assert.match(String(rest), /half$/);
  assert.equal(lines.filter(({ level }) => level === "error").length, 1);
  await eventually(async () => (await metric("http_requests_in_flight")) === 0);
});

test("a listener that never answers is answered for when its time is up", async (t) => {
  const { port, metric } = await serve(
    t,
    rawRoute("/never", () => {}),
    { requestTimeoutMs: 50 },
  );
  const { responses } = await rawRequest(port, get("/never", LAST));
  assert.equal(responses[0]?.status, 504);
  await eventually(async () => (await metric("http_requests_in_flight")) === 0);
});

test("a listener that answers too late, twice, or after its caller left does no harm", async (t) => {
  const { opened, open } = gate();
  const answered: string[] = [];
  const { port, request, lines } = await serve(
    t,
    [
      ...rawRoute("/late", async (_request, response) => {
        await opened;
        response.end("late");
        answered.push("late");
      }),
      ...rawRoute("/twice", (_request, response) => {
        response.end("once");
        response.write("twice");
        response.end("thrice");
        answered.push("twice");
      }),
      ...rawRoute("/headers", (_request, response) => {
        response.end("once");
        response.setHeader("too", "late");
      }),
      ping(),
    ],
    { requestTimeoutMs: 50 },
  );
  const left = rawConnection(t, port);
  left.send(get("/late"));
  await left.ended(20);
  left.reset();
  assert.equal((await request({ path: "/late" })).status, 504);
  open();
  assert.equal((await request({ path: "/twice" })).body, "once");
  assert.equal((await request({ path: "/headers" })).body, "once");
  await eventually(() => answered.length === 3);
  assert.equal((await request({ path: "/ping" })).status, 200);
  assert.ok(lines.some(({ msg }) => msg === "handler failed when its request was over"));
});

test("an answer that streams may take longer than the time for a first byte, and is cut when the drain is over", async (t) => {
  const { drain, port } = await serve(
    t,
    rawRoute("/stream", (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const beat = setInterval(() => response.write("data: beat\n\n"), 20);
      response.on("close", () => clearInterval(beat));
    }),
    { requestTimeoutMs: 50, drainTimeoutMs: 60 },
  );
  const client = rawConnection(t, port);
  client.send(get("/stream"));
  assert.equal(await client.ended(200), "open");
  assert.deepEqual(await drain(), { http: 1 });
  assert.notEqual(await client.ended(1000), "open");
  assert.match(String(client.received), /(data: beat\s+.*){5}/s);
});

test("a raw answer that nobody reads is cut at the write deadline, though it grows and grows", async (t) => {
  const { port, metric } = await serve(
    t,
    rawRoute("/flood", (_request, response) => {
      response.writeHead(200);
      const flood = setInterval(() => response.write("x".repeat(100_000)), 5);
      response.on("close", () => clearInterval(flood));
    }),
    { writeTimeoutMs: 300 },
  );
  const client = rawConnection(t, port);
  client.stopReading();
  client.send(get("/flood"));
  await eventually(async () => (await metric("http_connections")) === 1);
  await eventually(async () => (await metric("http_connections")) === 0, 10_000);
});

test("a raw route's answers during the drain ask the client to leave", async (t) => {
  const { drain, port } = await serve(t, rawRoute("/old", echo), { drainDelayMs: 300 });
  const drained = drain();
  const { responses, end } = await rawRequest(port, post("/old", "body"));
  assert.deepEqual([responses[0]?.status, responses[0]?.headers.connection, end], [200, "close", "closed"]);
  await drained;
});

test("a client that waits for 100 Continue gets it from a raw route at once", async (t) => {
  const { port } = await serve(t, rawRoute("/old", echo));
  const bytes = post("/old", "body", "Expect: 100-continue", LAST);
  const { responses } = await rawRequest(port, bytes);
  assert.deepEqual(
    responses.map(({ status }) => status),
    [100, 200],
  );
});

test("what a raw route is asked has its access line and its count", async (t) => {
  const { request, lines, metric } = await serve(t, rawRoute("/old/*", echo));
  await request({ path: "/old/a?b" });
  await eventually(() => lines.some(({ msg }) => msg === "request"));
  const line = lines.find(({ msg }) => msg === "request");
  assert.deepEqual([line?.endpoint, line?.path, line?.status], ["/old/*", "/old/a", 200]);
  assert.equal(await metric('http_requests_total{method="GET",endpoint="/old/*",status="200"}'), 1);
  assert.equal(splitResponses(Buffer.alloc(0)).responses.length, 0);
});
