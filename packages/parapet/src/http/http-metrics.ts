import type { Registry } from "../metrics/index.ts";

/** The labels of what belongs to no route or to no method of ours, so that clients can't make series. */
export const OTHER = "__other__";

const METHOD_NOT_ALLOWED = 405;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Counts requests. The names and labels are those of the article's Go service. */
export interface HttpMetrics {
  requestStarted(): void;
  requestEnded(request: { method: string; endpoint: string; status: number; seconds: number }): void;
  /** A message that was no request: counted under `__other__`. */
  refusedByParser(status: number): void;
  connectionRefused(): void;
  /** A header with the caller's deadline that can't be read. */
  deadlineHeaderInvalid(): void;
}

/** Registers the server's metrics. `openConnections` is asked at each scrape. */
export function createHttpMetrics(registry: Registry, openConnections: () => number): HttpMetrics {
  const total = registry.counter({
    name: "http_requests_total",
    help: "Total number of HTTP requests.",
    labels: ["method", "endpoint", "status"],
  });
  const duration = registry.histogram({
    name: "http_request_duration_seconds",
    help: "HTTP request duration in seconds.",
    labels: ["method", "endpoint"],
  });
  const inFlight = registry.gauge({ name: "http_requests_in_flight", help: "Requests that are being answered now." });
  registry.gauge({ name: "http_connections", help: "Open connections.", read: openConnections });
  const refused = registry.counter({
    name: "http_connections_refused_total",
    help: "Connections closed at once, since there were as many as there may be.",
  });
  const invalid = registry.counter({
    name: "http_deadline_headers_invalid_total",
    help: "Headers with a caller's deadline that could not be read and counted for nothing.",
  });
  return {
    requestStarted: () => inFlight.inc(),
    requestEnded({ method, endpoint, status, seconds }) {
      // A method that its path does not have belongs to no route: who tries them all on all paths makes no series.
      const isRouted = status !== METHOD_NOT_ALLOWED && endpoint !== OTHER && METHODS.has(method);
      const route = isRouted ? { method, endpoint, status: String(status) } : noRoute(status);
      inFlight.dec();
      total.with(route).inc();
      duration.with(route).observe(seconds);
    },
    connectionRefused: () => refused.inc(),
    deadlineHeaderInvalid: () => invalid.inc(),
    refusedByParser: (status) => total.with(noRoute(status)).inc(),
  };
}

function noRoute(status: number): { method: string; endpoint: string; status: string } {
  return { method: OTHER, endpoint: OTHER, status: String(status) };
}
