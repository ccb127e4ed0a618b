import { readdirSync, readFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import { droppedLines } from "../log/index.ts";
import { collectEventLoopMetrics } from "./event-loop-metrics.ts";
import { collectGcMetrics } from "./gc-metrics.ts";
import type { Registry } from "./registry.ts";

export interface ProcessIdentity {
  readonly service: string;
  readonly version: string;
}

/**
 * Exposes this process: who it is, processor, memory, file descriptors, heap, garbage collection, the event loop, dropped
 * log lines. Names are the usual ones of Prometheus clients, as far as promtool accepts them. The returned function stops
 * the observers; they never keep the process alive.
 */
export function collectProcessMetrics(registry: Registry, identity: ProcessIdentity): () => void {
  exposeBuild(registry, identity);
  exposeProcess(registry);
  exposeHeap(registry);
  registry.counter({ name: "log_dropped_total", help: "Log lines dropped.", read: droppedLines });
  const stops = [collectEventLoopMetrics(registry), collectGcMetrics(registry)];
  return () => {
    for (const stop of stops) stop();
  };
}

function exposeBuild(registry: Registry, { service, version }: ProcessIdentity): void {
  const labels = ["service", "version", "node"] as const;
  registry
    .gauge({ name: "parapet_build_info", help: "What runs here; always 1.", labels })
    .with({ service, version, node: process.version })
    .set(1);
}

function exposeProcess(registry: Registry): void {
  registry.counter({
    name: "process_cpu_seconds_total",
    help: "User and system processor time spent, in seconds.",
    read: cpuSeconds,
  });
  registry.gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    read: () => process.memoryUsage.rss(),
  });
  registry
    .gauge({ name: "process_start_time_seconds", help: "Start of the process, in seconds since the Unix epoch." })
    .set(performance.timeOrigin / 1000);
  registry.gauge({ name: "process_open_fds", help: "Open file descriptors; on Linux.", read: openFds });
  registry.gauge({ name: "process_max_fds", help: "Most file descriptors it may open; on Linux.", read: maxFds });
}

function exposeHeap(registry: Registry): void {
  const expose = (name: string, help: string, read: () => number) => registry.gauge({ name, help, read });
  expose("nodejs_heap_size_used_bytes", "V8 heap in use.", () => getHeapStatistics().used_heap_size);
  expose("nodejs_heap_size_total_bytes", "V8 heap taken from the system.", () => getHeapStatistics().total_heap_size);
  expose("nodejs_heap_size_limit_bytes", "V8 heap that ends the process.", () => getHeapStatistics().heap_size_limit);
  expose("nodejs_external_memory_bytes", "Memory outside the V8 heap.", () => getHeapStatistics().external_memory);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

// A reader that throws, as these do where there is no /proc, leaves its series out of the scrape.
function openFds(): number {
  // Reading the folder opens one more.
  return readdirSync("/proc/self/fd").length - 1;
}

function maxFds(): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return soft === undefined ? undefined : Number(soft);
}
