import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { collectProcessMetrics } from "./process-metrics.ts";
import { createRegistry, type Registry } from "./registry.ts";

const IDENTITY = { service: "users", version: "1.2.3" };

async function withProcessMetrics(use: (registry: Registry) => Promise<void>): Promise<void> {
  const registry = createRegistry();
  const stop = collectProcessMetrics(registry, IDENTITY);
  try {
    await use(registry);
  } finally {
    stop();
  }
}

async function sampleOf(registry: Registry, series: string): Promise<number> {
  const line = (await registry.text()).split("\n").find((line) => line.startsWith(`${series} `));
  assert.ok(line, `${series} is exposed`);
  return Number(line.slice(series.length + 1));
}

async function until5s(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "it holds within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a process says what it is", () =>
  withProcessMetrics(async (registry) => {
    const series = `parapet_build_info{service="users",version="1.2.3",node="${process.version}"}`;
    assert.equal(await sampleOf(registry, series), 1);
  }));

test("processor time, memory and heap are those of this process", () =>
  withProcessMetrics(async (registry) => {
    assert.ok((await sampleOf(registry, "process_cpu_seconds_total")) > 0);
    assert.ok((await sampleOf(registry, "process_resident_memory_bytes")) > 10e6);
    const started = await sampleOf(registry, "process_start_time_seconds");
    assert.ok(Math.abs(started - (Date.now() / 1000 - process.uptime())) < 60);
    const used = await sampleOf(registry, "nodejs_heap_size_used_bytes");
    const total = await sampleOf(registry, "nodejs_heap_size_total_bytes");
    const limit = await sampleOf(registry, "nodejs_heap_size_limit_bytes");
    assert.ok(0 < used && used < total && total < limit);
    assert.ok((await sampleOf(registry, "nodejs_external_memory_bytes")) > 0);
    assert.equal(await sampleOf(registry, "log_dropped_total"), 0);
  }));

test("file descriptors are counted where there is /proc", { skip: !existsSync("/proc/self/fd") && "no /proc" }, () =>
  withProcessMetrics(async (registry) => {
    const open = await sampleOf(registry, "process_open_fds");
    assert.ok(open >= 3);
    assert.ok(open < (await sampleOf(registry, "process_max_fds")));
  }),
);

test("a blocked event loop shows in the very scrape that waited for it", () =>
  withProcessMetrics(async (registry) => {
    // Node knows no utilization until its event loop has turned once.
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 300;
    while (performance.now() < until);
    assert.ok((await sampleOf(registry, "nodejs_eventloop_delay_max_seconds")) > 0.2);
    assert.ok((await sampleOf(registry, "nodejs_eventloop_delay_min_seconds")) >= 0);
    const utilization = await sampleOf(registry, "nodejs_eventloop_utilization_ratio");
    assert.ok(utilization > 0 && utilization <= 1);
  }));

test("the next scrape no longer shows a delay that the one before has shown", () =>
  withProcessMetrics(async (registry) => {
    const until = performance.now() + 500;
    while (performance.now() < until);
    assert.ok((await sampleOf(registry, "nodejs_eventloop_delay_max_seconds")) > 0.4);
    await until5s(async () => (await sampleOf(registry, "nodejs_eventloop_delay_max_seconds")) < 0.4);
  }));

test("garbage collections are counted by kind", () =>
  withProcessMetrics(async (registry) => {
    const garbage = () => Array.from({ length: 1000 }, () => new Array(1000).fill(0.5));
    for (let i = 0; i < 30; i++) garbage();
    await until5s(async () => (await registry.text()).includes('nodejs_gc_duration_seconds_count{kind="minor"} '));
  }));

test("collecting twice is collecting once", () =>
  withProcessMetrics(async (registry) => {
    const stop = collectProcessMetrics(registry, IDENTITY);
    stop();
    assert.ok((await sampleOf(registry, "process_cpu_seconds_total")) > 0);
  }));

test("collecting does not keep the process alive", () => {
  const program = `
    import { collectProcessMetrics, metrics } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    collectProcessMetrics(metrics, { service: "users", version: "1.2.3" });
    await metrics.text();`;
  const flags = ["--conditions=parapet-source", "--import", import.meta.resolve("@parapet/dev/register")];
  const child = spawnSync(process.execPath, [...flags, "--input-type=module", "--eval", program], {
    timeout: 20_000,
    encoding: "utf8",
  });
  assert.equal(child.status, 0, child.stderr);
});

const promtool = spawnSync("promtool", ["--version"]).status === 0;

test("promtool has no complaint", { skip: !promtool && "promtool is not installed" }, () =>
  withProcessMetrics(async (registry) => {
    const check = spawnSync("promtool", ["check", "metrics"], { input: await registry.text(), encoding: "utf8" });
    assert.equal(`${check.stdout}${check.stderr}`, "");
    assert.equal(check.status, 0);
  }),
);
