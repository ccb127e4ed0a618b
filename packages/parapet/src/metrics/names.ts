import { AppError } from "../errors/index.ts";

export type MetricKind = "counter" | "gauge" | "histogram";

const METRIC_NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const LABEL_NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

// The rules of Prometheus' promlint, which `promtool check metrics` applies to what is scraped.
const RESERVED_LABELS = ["le", "quantile"];
const RESERVED_SUFFIX = /_(bucket|count|sum)$/;
const KIND_WORD = /_(counter|gauge|histogram|summary)(_|$)/;
const ABBREVIATED_UNIT = /_(s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d)(_|$)/;
const SCALED_UNIT =
  /_(nano|micro|milli|centi|kilo|mega|giga|tera)(seconds|bytes|meters|grams|joules|volts|amperes)(_|$)/;
const OTHER_UNIT = /_(minutes|hours|days|weeks|bits|percent|fahrenheit|kelvins)(_|$)/;

/** Throws `internal` when `promtool check metrics` would complain about this metric, or Prometheus refuse it. */
export function checkNames(kind: MetricKind, name: string, help: string, labels: readonly string[]): void {
  const problem = problemOfMetric(kind, name, help) ?? problemOfLabels(labels);
  if (problem === undefined) return;
  throw new AppError("internal", `a metric ${problem}`, { fields: { metric: name, labels } });
}

function problemOfMetric(kind: MetricKind, name: string, help: string): string | undefined {
  if (help.trim() === "") return "needs a help text";
  if (!METRIC_NAME.test(name)) return "name is in snake case";
  if (name.endsWith("_total") !== (kind === "counter")) return "name ends in _total if and only if it is a counter";
  if (RESERVED_SUFFIX.test(name)) return "name must not end in _bucket, _count or _sum";
  if (KIND_WORD.test(name)) return "name must not contain its type";
  if (ABBREVIATED_UNIT.test(name)) return "name must not abbreviate its unit";
  if (SCALED_UNIT.test(name) || OTHER_UNIT.test(name)) return "name must use base units: seconds, bytes, ratio";
  return undefined;
}

function problemOfLabels(labels: readonly string[]): string | undefined {
  if (labels.some((label) => !LABEL_NAME.test(label))) return "label is in snake case";
  if (labels.some((label) => RESERVED_LABELS.includes(label))) return "label must not be le or quantile";
  if (new Set(labels).size !== labels.length) return "must not have a label twice";
  return undefined;
}
