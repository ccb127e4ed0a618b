import { constants, PerformanceObserver } from "node:perf_hooks";
import type { Registry } from "./registry.ts";

const KINDS = new Map<unknown, string>([
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

/** Exposes how long garbage collections held the process up, by kind; returns what stops observing them. */
export function collectGcMetrics(registry: Registry): () => void {
  const durations = registry.histogram({
    name: "nodejs_gc_duration_seconds",
    help: "How long garbage collections held the process up, by kind.",
    labels: ["kind"],
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
  });
  // All there from the start, so that a rate over the first of them is not lost.
  for (const kind of KINDS.values()) durations.with({ kind });
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) durations.with({ kind: kindOf(entry) }).observe(entry.duration / 1000);
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

function kindOf(entry: object): string {
  const detail: unknown = "detail" in entry ? entry.detail : undefined;
  const kind = typeof detail === "object" && detail !== null && "kind" in detail ? detail.kind : undefined;
  return KINDS.get(kind) ?? "other";
}
