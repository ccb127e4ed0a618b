import type { Readiness } from "../lifecycle/index.ts";
import type { Registry } from "../metrics/index.ts";
import type { HandledRoute, HttpReply } from "./route.ts";

/** What the probes answer from. */
export interface Health {
  readonly ready: readonly Readiness[];
  isDraining(): boolean;
}

/**
 * `/livez`: the process answers, whatever its dependencies do. `/readyz`: it was able to work once and is not stopping.
 * `/health`: both in one, 200 as long as the process lives, for people and container health checks.
 */
export function probeRoutes(health: Health): HandledRoute[] {
  return [
    quietGet("/livez", () => toReply(200, { status: "ok" })),
    quietGet("/readyz", () => toReadiness(health)),
    quietGet("/health", () => toReply(200, { ...summaryOf(health), uptime_seconds: Math.floor(process.uptime()) })),
  ];
}

/** `/metrics`, in Prometheus' text format. */
export function metricsRoute(registry: Registry): HandledRoute {
  return quietGet("/metrics", async () => ({
    status: 200,
    headers: { "content-type": registry.contentType, "cache-control": "no-store" },
    body: await registry.text(),
  }));
}

function quietGet(path: string, answer: () => HttpReply | Promise<HttpReply>): HandledRoute {
  return { kind: "handled", method: "GET", path, quiet: true, handler: async () => answer() };
}

function toReadiness(health: Health): HttpReply {
  const summary = summaryOf(health);
  return toReply(summary.status === "ok" ? 200 : 503, summary);
}

function summaryOf({ ready, isDraining }: Health): { status: string; reasons?: Record<string, string> } {
  if (isDraining()) return { status: "draining" };
  const reasons = Object.fromEntries(
    ready.flatMap((part) => {
      const reason = part.notReadyBecause();
      return reason === undefined ? [] : [[part.name, reason]];
    }),
  );
  return Object.keys(reasons).length === 0 ? { status: "ok" } : { status: "not ready", reasons };
}

function toReply(status: number, value: unknown): HttpReply {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return { status, headers, body: JSON.stringify(value) };
}
