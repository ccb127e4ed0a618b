import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { type TestContext, test } from "node:test";
import { eventually, type LoadRequest, type Service, startLoad } from "parapet/testing";
import { type Scrape, scrape } from "./scrape.ts";
import { createAda, sendJson } from "./users-json.ts";
import { startUsers } from "./users-process.ts";

const REQUESTS = 10_000;
const SCRAPE_MS = 100;
/** The same behind eight callers at full speed, on a machine that runs other tests beside. */
const BUSY_SCRAPE_MS = 300;

test("G13: whatever 10000 hostile requests send, there are hardly more series than before, and a scrape is quick", async (t) => {
  const service = await startUsers(t);
  await useEveryRoute(service);
  const before = await scrape(service);
  await sendHostile(t, service, REQUESTS);
  const scrapes: Scrape[] = [];
  for (let n = 0; n < 10; n++) scrapes.push(await scrape(service));
  const [after] = scrapes;
  const fresh = [...(after?.series.keys() ?? [])].filter((series) => !before.series.has(series));
  assert.ok(fresh.length <= 50, `${fresh.length} more series, among them\n${fresh.slice(0, 60).join("\n")}`);
  assert.equal(after?.series.get("metrics_series_dropped_total"), 0);
  // The quickest of ten: the others may have waited for this machine, and not for the service.
  const quickestMs = Math.min(...scrapes.map(({ ms }) => ms));
  assert.ok(quickestMs < SCRAPE_MS, `a scrape took ${quickestMs} ms`);
  assertLabels(after?.text ?? "");
  t.diagnostic(
    `${before.series.size} series before, ${fresh.length} more after; a scrape takes ${quickestMs.toFixed(1)} ms`,
  );
});

test("G13: a scrape is answered in time while the service is busy", async (t) => {
  const service = await startUsers(t);
  const load = startLoad(t, {
    url: service.url,
    keepAliveClients: 8,
    freshClients: 0,
    maxThinkMs: 0,
    request: () => ({ path: "/api/v1/users" }),
  });
  await eventually(() => load.report().ok > 200);
  const times: number[] = [];
  for (let n = 0; n < 20; n++) times.push((await scrape(service)).ms);
  await load.stop();
  const medianMs = times.toSorted((a, b) => a - b)[10] ?? 0;
  assert.ok(medianMs < BUSY_SCRAPE_MS, `half of the scrapes took more than ${medianMs} ms`);
  t.diagnostic(`half of the scrapes took up to ${medianMs.toFixed(1)} ms`);
});

const promtool = process.env.PROMTOOL || "promtool";
const hasPromtool = spawnSync(promtool, ["--version"]).status === 0;

test("G13: promtool has no complaint about what is exposed", {
  skip: !hasPromtool && "needs promtool on the PATH, or in PROMTOOL",
}, async (t) => {
  const service = await startUsers(t);
  await useEveryRoute(service);
  await sendHostile(t, service, 200);
  const { text } = await scrape(service);
  const { status, stdout, stderr } = spawnSync(promtool, ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
});

test("what the article's dashboards ask for is there under their names and labels, and the process beside it", async (t) => {
  const service = await startUsers(t);
  await useEveryRoute(service);
  const { text, series } = await scrape(service);
  assert.match(text, /^# TYPE http_requests_total counter$/m);
  assert.match(text, /^# TYPE http_request_duration_seconds histogram$/m);
  assert.equal(series.get('http_requests_total{method="POST",endpoint="/api/v1/users",status="201"}'), 1);
  assert.equal(series.get('http_requests_total{method="GET",endpoint="/api/v1/users/{id}",status="200"}'), 1);
  assert.equal(series.get('http_request_duration_seconds_count{method="POST",endpoint="/api/v1/users"}'), 1);
  for (const name of [
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    "nodejs_eventloop_delay_p99_seconds",
    "nodejs_eventloop_utilization_ratio",
    "log_dropped_total",
    "http_requests_in_flight",
    "postgres_pool_connections",
  ]) {
    assert.ok(Number.isFinite(series.get(name)), name);
  }
  assert.match(text, /^parapet_build_info\{service="users",version="\d+\.\d+\.\d+",node="v\d+[^"]*"\} 1$/m);
  assertLabels(text);
});

/** Every label of the two metrics, and none beside them. */
function assertLabels(text: string): void {
  const label = '="(?:[^"\\\\\n]|\\\\.)*"';
  const total = new RegExp(`^http_requests_total\\{method${label},endpoint${label},status="[1-5]\\d\\d"\\} \\d+$`);
  const duration = new RegExp(
    `^http_request_duration_seconds_(bucket\\{le="[^"]+",method${label},endpoint${label}|(sum|count)\\{method${label},endpoint${label})\\} [\\d.e-]+$`,
  );
  const lines = text.split("\n");
  assert.deepEqual(
    lines.filter((line) => line.startsWith("http_requests_total") && !total.test(line)),
    [],
  );
  assert.deepEqual(
    lines.filter((line) => line.startsWith("http_request_duration_seconds") && !duration.test(line)),
    [],
  );
}

/** Makes the series that honest clients make: every method of every route, and none that fails. */
async function useEveryRoute(service: Service): Promise<void> {
  const users = `${service.url}/api/v1/users`;
  await service.line("the database is ready");
  const user = `${users}/${(await createAda(service)).id}`;
  const paths = [users, user, ...["/livez", "/readyz", "/health", "/metrics"].map((path) => service.url + path)];
  const replies = await Promise.all([
    sendJson("PATCH", user, { name: "Grace" }),
    ...paths.flatMap((path) => ["GET", "HEAD", "OPTIONS"].map((method) => fetch(path, { method }))),
  ]);
  replies.push(await fetch(user, { method: "DELETE" }));
  assert.ok(replies.every(({ ok }) => ok));
  await Promise.all(replies.map((reply) => reply.arrayBuffer()));
}

/** So many requests, no two alike in path, id, query, user agent and whatever else a client makes up. */
async function sendHostile(t: TestContext, service: Service, requests: number): Promise<void> {
  const load = startLoad(t, {
    url: service.url,
    keepAliveClients: 16,
    freshClients: 0,
    maxThinkMs: 0,
    request: (number) => (number < requests ? toHostile(number) : { path: "/nowhere" }),
  });
  await eventually(() => load.report().attempted >= requests, 60_000);
  const { attempted, ok, failures } = await load.stop();
  assert.ok(
    Object.keys(failures).every((reason) => /^status (4\d\d|501)$/.test(reason)),
    JSON.stringify(failures),
  );
  t.diagnostic(`${attempted} requests, ${ok} of them well-meant: ${JSON.stringify(failures)}`);
}

function toHostile(number: number): LoadRequest {
  const noise = randomBytes(12).toString("hex");
  const paths = [
    `/${noise}`,
    `/api/v1/users/${noise}`,
    `/api/v1/users/${randomUUID()}`,
    `/api/v1/users/${randomUUID()}/${noise}`,
    `/api/v1/users?${noise}=${noise}`,
    `/api/v1/users?cursor=${noise}`,
    `/metrics/${noise}`,
    `/livez?${noise}`,
    `/%7Bid%7D/${noise}`,
  ];
  const methods = ["GET", "GET", "HEAD", "OPTIONS", "PUT", "PROPFIND", "M-SEARCH", "TRACE", noise.toUpperCase()];
  return {
    path: paths[number % paths.length] ?? "/",
    method: methods[Math.floor(Math.random() * methods.length)] ?? "GET",
    headers: {
      "user-agent": noise,
      "x-request-id": noise,
      [`x-${noise}`]: noise,
      host: `${noise}.example.com`,
      accept: `text/${noise}`,
    },
  };
}
