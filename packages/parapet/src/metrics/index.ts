export type { Labeled } from "./labeled.ts";
export { perRegistry } from "./per-registry.ts";
export { collectProcessMetrics, type ProcessIdentity } from "./process-metrics.ts";
export {
  type BucketOptions,
  createRegistry,
  type LabelOptions,
  type MetricOptions,
  metrics,
  type ReadOptions,
  type Registry,
} from "./registry.ts";
export type { Counter, Gauge, Histogram, LabelValues, Read } from "./series.ts";
