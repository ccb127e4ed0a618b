import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../errors/index.ts";
import { createRegistry, metrics, type Registry } from "./registry.ts";

const linesOf = async (registry: Registry, name: string) =>
  (await registry.text()).split("\n").filter((line) => line.startsWith(name));

const isInternal = (error: unknown) => hasCode(error, "internal");

test("a counter without labels is exposed from its first moment", async () => {
  const registry = createRegistry();
  const started = registry.counter({ name: "jobs_started_total", help: "Jobs." });
  assert.deepEqual(await linesOf(registry, "jobs_started_total"), ["jobs_started_total 0"]);
  started.inc();
  started.inc(2.5);
  assert.deepEqual(await linesOf(registry, "jobs_started_total"), ["jobs_started_total 3.5"]);
});

test("a counter refuses to shrink", () => {
  const counter = createRegistry().counter({ name: "jobs_total", help: "Jobs." });
  assert.throws(() => counter.inc(-1), isInternal);
  assert.throws(() => counter.inc(Number.NaN), isInternal);
});

test("each combination of label values is a series of its own, and the same one each time", async () => {
  const registry = createRegistry();
  const requests = registry.counter({ name: "requests_total", help: "Requests.", labels: ["method", "status"] });
  requests.with({ method: "GET", status: "200" }).inc();
  requests.with({ status: "200", method: "GET" }).inc();
  requests.with({ method: "GET", status: "404" }).inc();
  assert.equal(requests.with({ method: "GET", status: "200" }), requests.with({ method: "GET", status: "200" }));
  assert.deepEqual(await linesOf(registry, "requests_total"), [
    'requests_total{method="GET",status="200"} 2',
    'requests_total{method="GET",status="404"} 1',
  ]);
});

test("label values that a map could mistake for each other stay apart", async () => {
  const registry = createRegistry();
  const pairs = registry.counter({ name: "pairs_total", help: "Pairs.", labels: ["a", "b"] });
  pairs.with({ a: "x,y", b: "z" }).inc(1);
  pairs.with({ a: "x", b: "y,z" }).inc(2);
  pairs.with({ a: "__proto__", b: "constructor" }).inc(3);
  pairs.with({ a: "", b: "" }).inc(4);
  assert.equal((await linesOf(registry, "pairs_total")).length, 4);
});

test("a label without a string is refused", () => {
  const requests = createRegistry().counter({ name: "requests_total", help: "Requests.", labels: ["status"] });
  const untyped: { with(values: object): unknown } = requests;
  assert.throws(() => untyped.with({}), isInternal);
  assert.throws(() => untyped.with({ status: 200 }), isInternal);
});

test("a gauge is set, moved and read", async () => {
  const registry = createRegistry();
  const inFlight = registry.gauge({ name: "in_flight", help: "In flight." });
  inFlight.inc(5);
  inFlight.dec();
  assert.deepEqual(await linesOf(registry, "in_flight"), ["in_flight 4"]);
  inFlight.set(-1.5);
  assert.deepEqual(await linesOf(registry, "in_flight"), ["in_flight -1.5"]);
  registry.gauge({ name: "queue_length", help: "Queue.", read: () => 7 });
  assert.deepEqual(await linesOf(registry, "queue_length"), ["queue_length 7"]);
});

test("a reader gives way to the next one, and its stop leaves the next one alone", async () => {
  const registry = createRegistry();
  const size = registry.gauge({ name: "pool_size", help: "Pool.", labels: ["pool"] }).with({ pool: "main" });
  const stopFirst = size.readFrom(() => 1);
  const stopSecond = size.readFrom(() => 2);
  stopFirst();
  assert.deepEqual(await linesOf(registry, "pool_size"), ['pool_size{pool="main"} 2']);
  stopSecond();
  assert.deepEqual(await linesOf(registry, "pool_size"), ['pool_size{pool="main"} 0']);
});

test("a reader that throws or knows nothing leaves only its own series out", async () => {
  const registry = createRegistry();
  registry.gauge({ name: "unknown_bytes", help: "Unknown.", read: () => undefined });
  registry.gauge({
    name: "broken_bytes",
    help: "Broken.",
    read: () => {
      throw new Error("broken");
    },
  });
  registry.gauge({ name: "healthy_bytes", help: "Healthy.", read: () => 1 });
  assert.deepEqual(await linesOf(registry, "unknown_bytes"), []);
  assert.deepEqual(await linesOf(registry, "broken_bytes"), []);
  assert.deepEqual(await linesOf(registry, "healthy_bytes"), ["healthy_bytes 1"]);
});

test("a histogram counts values into cumulative buckets, bounds included", async () => {
  const registry = createRegistry();
  const sizes = registry.histogram({ name: "body_bytes", help: "Sizes.", labels: ["kind"], buckets: [1, 10] });
  for (const size of [0, 1, 1.1, 10, 11]) sizes.with({ kind: "json" }).observe(size);
  sizes.with({ kind: "json" }).observe(Number.NaN);
  assert.deepEqual(await linesOf(registry, "body_bytes"), [
    'body_bytes_bucket{le="1",kind="json"} 2',
    'body_bytes_bucket{le="10",kind="json"} 4',
    'body_bytes_bucket{le="+Inf",kind="json"} 5',
    'body_bytes_sum{kind="json"} 23.1',
    'body_bytes_count{kind="json"} 5',
  ]);
});

test("a histogram's buckets hold exactly the values up to their bounds, whatever comes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double({ noNaN: true })), async (values) => {
      const registry = createRegistry();
      const sizes = registry.histogram({ name: "sizes", help: "Sizes.", buckets: [-1, 0, 1, 1e6] });
      for (const value of values) sizes.observe(value);
      const counts = (await linesOf(registry, "sizes_bucket")).map((line) => Number(line.split(" ")[1]));
      assert.deepEqual(
        counts,
        [-1, 0, 1, 1e6, Number.POSITIVE_INFINITY].map((bound) => values.filter((value) => value <= bound).length),
      );
    }),
    { numRuns: 50 },
  );
});

test("buckets that do not grow are refused", () => {
  const registry = createRegistry();
  for (const buckets of [[], [1, 1], [2, 1], [Number.NaN], [1, Number.POSITIVE_INFINITY]]) {
    assert.throws(() => registry.histogram({ name: "sizes", help: "Sizes.", buckets }), isInternal);
  }
});

test("asking again for a name gives the same metric; another shape is refused", () => {
  const registry = createRegistry();
  const requests = registry.counter({ name: "requests_total", help: "Requests.", labels: ["status"] });
  const again = registry.counter({ name: "requests_total", help: "Requests.", labels: ["status"] });
  assert.equal(requests.with({ status: "200" }), again.with({ status: "200" }));
  assert.throws(() => registry.counter({ name: "requests_total", help: "Requests." }), isInternal);
  assert.throws(() => registry.counter({ name: "requests_total", help: "Requests.", labels: ["code"] }), isInternal);
  registry.histogram({ name: "sizes", help: "Sizes.", buckets: [1] });
  assert.throws(() => registry.histogram({ name: "sizes", help: "Sizes.", buckets: [2] }), isInternal);
  assert.throws(() => registry.gauge({ name: "sizes", help: "Sizes." }), isInternal);
});

test("G13: series beyond the bound and hostile values share one overflow series a metric, and are counted", async () => {
  const registry = createRegistry();
  const requests = registry.counter({ name: "requests_total", help: "Requests.", labels: ["method", "path"] });
  for (let i = 0; i < 10_000; i++) requests.with({ method: "GET", path: `/${i}` }).inc();
  const lines = await linesOf(registry, "requests_total");
  assert.ok(lines.length <= 2001, `${lines.length} series`);
  const overflow = lines.filter((line) => line.includes('method="__overflow__",path="__overflow__"'));
  assert.equal(overflow.length, 1);
  const [dropped] = await linesOf(registry, "metrics_series_dropped_total");
  assert.equal(overflow[0]?.split(" ")[1], dropped?.split(" ")[1]);

  const late = registry.gauge({ name: "late", help: "Made when the registry is full.", labels: ["kind"] });
  late.with({ kind: "new" }).set(1);
  assert.deepEqual(await linesOf(registry, "late"), ['late{kind="__overflow__"} 1']);
});

test("label values that are too long or broken go to the overflow series; others are escaped", async () => {
  const registry = createRegistry();
  const agents = registry.counter({ name: "agents_total", help: "Agents.", labels: ["agent"] });
  for (const agent of ["x".repeat(5000), "\ud800", "\udfff"]) agents.with({ agent }).inc();
  agents.with({ agent: 'a"b\\c\nd' }).inc();
  assert.deepEqual(await linesOf(registry, "agents_total"), [
    'agents_total{agent="__overflow__"} 3',
    'agents_total{agent="a\\"b\\\\c\\nd"} 1',
  ]);
});

test("a full registry is exposed within 100 ms", async () => {
  const registry = createRegistry();
  const durations = registry.histogram({ name: "durations_seconds", help: "Durations.", labels: ["path"] });
  for (let i = 0; i < 2100; i++) durations.with({ path: `/${i}` }).observe(i);
  await registry.text();
  const begin = performance.now();
  const text = await registry.text();
  const ms = performance.now() - begin;
  assert.ok(text.split("\n").length > 30_000);
  // Generous: a machine that runs tests is busy. Alone it takes a third of the 100 ms.
  assert.ok(ms < 500, `${ms} ms`);
});

test("the process-wide registry exposes text of the type it names", async () => {
  assert.equal(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await metrics.text(), /^# TYPE metrics_series_dropped_total counter$/m);
});
