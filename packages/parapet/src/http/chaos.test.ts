import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { orDone, sleep } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { eventually, rawConnection, type SeededRandom, seededRandom } from "../testing/index.ts";
import { type Route, rawRoute } from "./route.ts";
import { get, ping, post, route, serve } from "./server.suite.ts";

const CLIENTS = 400;
const AT_ONCE = 40;

function routes(random: SeededRandom): readonly Route[] {
  return [
    ping(),
    route("GET", "/slow", async (ctx) => {
      await sleep(ctx, random.below(30));
      return { status: 200 };
    }),
    route("GET", "/stuck", (ctx) => orDone(ctx, new Promise<never>(() => {}))),
    route("GET", "/large", async () => ({ status: 200, body: "x".repeat(3_000_000) })),
    route("GET", "/fails", async () => {
      throw random.chance(0.5) ? new Error("broken") : new AppError("conflict", "it is taken");
    }),
    route("POST", "/reads", async (ctx, request) => {
      if (random.chance(0.5)) await sleep(ctx, random.below(20));
      return { status: 200, body: String((await request.readBody(100_000)).length) };
    }),
    route("POST", "/ignores", async () => ({ status: 200 })),
    ...rawRoute("/raw", (request, response) => {
      if (random.chance(0.2)) response.destroy();
      else if (random.chance(0.8)) request.pipe(response);
    }),
  ];
}

const PATHS = ["/ping", "/slow", "/stuck", "/large", "/fails", "/raw", "/nowhere", "/a//b", "*", "/metrics"] as const;
const SINKS = ["/reads", "/ignores", "/raw", "/nowhere"] as const;

function message(random: SeededRandom): string {
  const sink = random.oneOf(SINKS);
  return random.oneOf<() => string>([
    () => get(random.oneOf(PATHS)),
    () => get(random.oneOf(PATHS)),
    () => post(sink, "x".repeat(random.below(1000))),
    () => post(sink, "x".repeat(random.below(300_000))),
    () => post(sink, "x", "Expect: 100-continue"),
    () => `POST ${sink} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`,
    () => `POST ${sink} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense`,
    () => get("/ping", "Host: b"),
    () => get("/ping", "Connection: close"),
    () => get("/ping").replace("1.1", "1.0"),
    () => "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    () => "nonsense\r\n\r\n",
  ])();
}

/** What one client does: some messages, perhaps in pieces, perhaps not to their ends or without reading, and an exit. */
function misbehavior(random: SeededRandom) {
  const bytes = Array.from({ length: 1 + random.below(8) }, () => message(random)).join("");
  const whole = random.chance(0.7) ? bytes : bytes.slice(0, random.below(bytes.length));
  return {
    reads: random.chance(0.8),
    whole,
    cut: random.below(whole.length + 1),
    pauseMs: random.chance(0.5) ? random.below(20) : 0,
    waitMs: random.chance(0.7) ? random.below(100) : 0,
    leave: random.oneOf(["reset", "close"] as const),
  };
}

async function misbehave(t: TestContext, port: number, plan: ReturnType<typeof misbehavior>): Promise<void> {
  const { reads, whole, cut, pauseMs, waitMs, leave } = plan;
  const client = rawConnection(t, port);
  if (!reads) client.stopReading();
  client.send(whole.slice(0, cut));
  if (pauseMs > 0) await delay(pauseMs);
  client.send(whole.slice(cut));
  if (waitMs > 0) await client.ended(waitMs);
  client[leave]();
}

test("after hundreds of clients that did what they liked it serves as before, and holds nothing of theirs", async (t) => {
  const random = seededRandom(t);
  const { drain, port, request, lines, metric } = await serve(t, routes(random), {
    requestTimeoutMs: 300,
    writeTimeoutMs: 300,
    readTimeoutMs: 500,
  });
  // Drawn before any of them runs, so that the seed alone says what each does.
  const plans = Array.from({ length: CLIENTS }, () => misbehavior(random));
  const worker = async (): Promise<void> => {
    for (let plan = plans.pop(); plan !== undefined; plan = plans.pop()) await misbehave(t, port, plan);
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
