import { constants } from "node:os";
import type { Logger } from "../log/index.ts";
import type { Component } from "./component.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

/** Why a process comes to its end. */
export type EndCause =
  | { readonly kind: "signal"; readonly signal: StopSignal }
  | { readonly kind: "uncaught"; readonly origin: NodeJS.UncaughtExceptionOrigin; readonly error: unknown }
  | { readonly kind: "component"; readonly component: string; readonly error: unknown }
  | { readonly kind: "start"; readonly component: string; readonly error: unknown };

/** Calls back for each stop signal, uncaught exception, unhandled rejection, and component that can't go on, until exit. */
export function onEndCause(components: readonly Component[], listener: (cause: EndCause) => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => listener({ kind: "signal", signal }));
  }
  // Unhandled rejections arrive here too: that is Node's default, and `origin` tells them apart.
  process.on("uncaughtException", (error, origin) => listener({ kind: "uncaught", origin, error }));
  for (const { name: component, failed } of components) {
    const report = (error: unknown) => listener({ kind: "component", component, error });
    failed?.then(report, report);
  }
}

/** Writes the one line that says why the process ends. */
export function logEndCause(log: Logger, cause: EndCause): void {
  switch (cause.kind) {
    case "signal":
      log.info("shutting down", { signal: cause.signal });
      break;
    case "uncaught":
      log.error("uncaught exception", { origin: cause.origin, error: cause.error });
      break;
    case "component":
      log.error("component failed", { component: cause.component, error: cause.error });
      break;
    case "start":
      log.error("component did not start", { component: cause.component, error: cause.error });
      break;
  }
}

/** The exit code of what was ended before it was done: 128 and the signal's number, as shells do, or 1. */
export function exitCodeOf(cause: EndCause): number {
  return cause.kind === "signal" ? 128 + constants.signals[cause.signal] : 1;
}
