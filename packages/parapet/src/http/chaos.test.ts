import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { orDone, sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { eventually, rawConnection } from "../testing/index.ts";
import { rawRoute } from "./route.ts";
import { get, ping, post, route, serve } from "./server.suite.ts";

const CLIENTS = 400;
const AT_ONCE = 40;

const routes = [
  ping(),
  route("GET", "/slow", async (ctx) => {
    await sleep(ctx, Math.random() * 30);
    return { status: 200 };
  }),
  route("GET", "/stuck", (ctx) => orDone(ctx, new Promise<never>(() => {}))),
  route("GET", "/large", async () => ({ status: 200, body: "x".repeat(3_000_000) })),
  route("GET", "/fails", async () => {
    throw Math.random() < 0.5 ? new Error("broken") : new AppError("conflict", "it is taken");
  }),
  route("POST", "/reads", async (ctx, request) => {
    if (Math.random() < 0.5) await sleep(ctx, Math.random() * 20);
    return { status: 200, body: String((await request.readBody(100_000)).length) };
  }),
  route("POST", "/ignores", async () => ({ status: 200 })),
  ...rawRoute("/raw", (request, response) => {
    if (Math.random() < 0.2) response.destroy();
    else if (Math.random() < 0.8) request.pipe(response);
  }),
];

const messages: readonly (() => string)[] = [
  ...["/ping", "/slow", "/stuck", "/large", "/fails", "/raw", "/nowhere", "/a//b", "*", "/metrics"].map(
    (path) => () => get(path),
  ),
  ...["/reads", "/ignores", "/raw", "/nowhere"].flatMap((path) => [
    () => post(path, "x".repeat(Math.random() * 1000)),
    () => post(path, "x".repeat(Math.random() * 300_000)),
    () => post(path, "x", "Expect: 100-continue"),
    () => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`,
    () => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense`,
  ]),
  () => get("/ping", "Host: b"),
  () => get("/ping", "Connection: close"),
  () => get("/ping").replace("1.1", "1.0"),
  () => "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
  () => "nonsense\r\n\r\n",
];

function anyOf<T>(things: readonly T[]): T {
  return things[Math.floor(Math.random() * things.length)] as T;
}

/** Sends some messages, perhaps in pieces, perhaps not to their ends, perhaps without reading, and leaves somehow. */
async function misbehave(t: TestContext, port: number): Promise<void> {
  const client = rawConnection(t, port);
  if (Math.random() < 0.2) client.stopReading();
  const bytes = Array.from({ length: 1 + Math.random() * 8 }, () => anyOf(messages)()).join("");
  const whole = Math.random() < 0.7 ? bytes : bytes.slice(0, Math.random() * bytes.length);
  const cut = Math.floor(Math.random() * whole.length);
  client.send(whole.slice(0, cut));
  if (Math.random() < 0.5) await delay(Math.random() * 20);
  client.send(whole.slice(cut));
  if (Math.random() < 0.7) await client.ended(Math.random() * 100);
  if (Math.random() < 0.5) client.reset();
  else client.close();
}

test("after hundreds of clients that did what they liked it serves as before, and holds nothing of theirs", async (t) => {
  const { drain, port, request, lines, metric } = await serve(t, routes, {
    requestTimeoutMs: 300,
    writeTimeoutMs: 300,
    readTimeoutMs: 500,
  });
  let left = CLIENTS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await misbehave(t, port);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert.equal((await request({ path: "/ping" })).status, 200);
  await eventually(async () => (await metric("http_connections")) === 0, 10_000);
  assert.equal(await metric("http_requests_in_flight"), 0);
  const failures = lines.filter(({ level, msg }) => level === "error" && msg !== "request failed");
  assert.deepEqual(failures, []);
  // Only when no exchange is left is a drain done in less than its time.
  const started = performance.now();
  assert.deepEqual(await drain(), {});
  assert.ok(performance.now() - started < 1000);
});
