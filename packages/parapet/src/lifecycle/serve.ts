import type { Logger } from "../log/index.ts";
import type { Component } from "./component.ts";
import { onEndCause } from "./end-cause.ts";
import { Ending } from "./ending.ts";
import { exit } from "./exit.ts";
import { startAll } from "./start.ts";
import { toggleDebugOnSignal } from "./toggle-debug.ts";

const DEFAULT_GRACE_MS = 30_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface ServeOptions {
  readonly log: Logger;
  /** How long the platform waits from the stop signal to the kill, in milliseconds; 30 000 by default. */
  readonly shutdownGraceMs?: number;
}

/** Starts the components, waits for a reason to end, drains and stops them, and exits. */
export async function serve(components: readonly Component[], options: ServeOptions): Promise<never> {
  const { log, shutdownGraceMs = DEFAULT_GRACE_MS } = options;
  const ending = new Ending(log, shutdownGraceMs);
  onEndCause(components, (cause) => ending.add(cause));
  toggleDebugOnSignal(log);
  // A service lives until it is told to end, also while none of its components happens to hold the event loop.
  setInterval(() => {}, LONGEST_TIMER_MS);
  log.info("starting", { components: components.map(({ name }) => name), node: process.version });
  const outcome = await startAll(ending.running, components);
  ending.started(outcome);
  const shutdown = await ending.begun();
  if (ending.serving) await shutdown.drain(outcome.begun);
  await shutdown.stop(outcome.begun);
  const code = ending.exitCode(shutdown);
  shutdown.report(code);
  return exit(code);
}
