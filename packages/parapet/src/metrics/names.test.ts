import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../errors/index.ts";
import { checkNames, type MetricKind } from "./names.ts";

const refuses = (kind: MetricKind, name: string, labels: readonly string[] = [], help = "Help.") =>
  assert.throws(
    () => checkNames(kind, name, help, labels),
    (error) => hasCode(error, "internal"),
    `${kind} ${name}`,
  );

test("clean names pass", () => {
  checkNames("counter", "http_requests_total", "Requests.", ["method", "endpoint", "status"]);
  checkNames("histogram", "http_request_duration_seconds", "Durations.", ["method", "endpoint"]);
  checkNames("gauge", "process_resident_memory_bytes", "Memory.", []);
  checkNames("gauge", "nodejs_eventloop_utilization_ratio", "Utilization.", []);
});

test("a name that promtool complains about is refused", () => {
  refuses("counter", "http_requests");
  refuses("gauge", "queue_length_total");
  refuses("gauge", "requests_count");
  refuses("gauge", "requests_sum");
  refuses("gauge", "requests_bucket");
  refuses("histogram", "http_request_duration_ms");
  refuses("histogram", "http_request_duration_milliseconds");
  refuses("gauge", "memory_megabytes");
  refuses("gauge", "age_hours");
  refuses("gauge", "requests_gauge");
  refuses("histogram", "latency_histogram_seconds");
  refuses("counter", "httpRequests_total");
  refuses("counter", "http:requests_total");
  refuses("counter", "http__requests_total");
  refuses("counter", "1st_total");
});

test("a metric without a help text is refused", () => {
  refuses("counter", "requests_total", [], " ");
});

test("labels that Prometheus reserves, repeats or can't read are refused", () => {
  refuses("gauge", "queue_length", ["le"]);
  refuses("gauge", "queue_length", ["quantile"]);
  refuses("gauge", "queue_length", ["queueName"]);
  refuses("gauge", "queue_length", ["__name"]);
  refuses("gauge", "queue_length", ["queue", "queue"]);
});
