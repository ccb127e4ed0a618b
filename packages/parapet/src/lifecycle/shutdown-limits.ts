import { FLUSH_MS } from "./exit.ts";

/** How long the parts of a shutdown may take, in milliseconds from its begin. */
export interface ShutdownLimits {
  /** When the drains' context ends. */
  readonly drainMs: number;
  /** When drains that still did not settle are left behind. */
  readonly abandonMs: number;
  /** When whatever did not stop is left behind. */
  readonly totalMs: number;
}

const EXIT_MARGIN_MS = 2000;

/**
 * For a stop signal: the process is gone 2 s before the platform would kill it. Of the default 30 s, drains have 22.5 s,
 * enough for 5 s of lame duck, 15 s of waiting and 2 s of aborting, and the stops have the last 5 s.
 */
export function gracefulLimits(graceMs: number): ShutdownLimits {
  const totalMs = Math.max(0, graceMs - EXIT_MARGIN_MS - FLUSH_MS);
  const stopsMs = Math.min(5000, totalMs / 4);
  const drainMs = totalMs - stopsMs;
  return { drainMs, abandonMs: drainMs + stopsMs / 20, totalMs };
}

/** How long components have for their drains, in milliseconds, of what the platform waits between signal and kill. */
export function drainBudgetMs(graceMs: number): number {
  return gracefulLimits(graceMs).drainMs;
}

/** For a process in an unknown state: work in flight gets 2 s, and components 2 s more to abort what is left of it. */
export const FATAL_LIMITS: ShutdownLimits = { drainMs: 4000, abandonMs: 4250, totalMs: 6000 };

/** For a process that gets into an unknown state while it drains: the context ends after 2 s, whatever was promised. */
export const HURRIED_LIMITS: ShutdownLimits = { drainMs: 2000, abandonMs: 4000, totalMs: 6000 };

/** For a process that does not serve yet: it has nothing to drain, and is gone within 2 s. */
export const START_LIMITS: ShutdownLimits = { drainMs: 0, abandonMs: 0, totalMs: 1000 };

/** For a second signal: all is aborted now, in order, and the process is gone within 1 s. */
export const ABORT_LIMITS: ShutdownLimits = { drainMs: 0, abandonMs: 200, totalMs: 400 };
