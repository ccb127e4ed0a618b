import { defineConfig, durationMs } from "../config/index.ts";

/** The settings of `run`, to be part of a service's: `run(components, { log, config, ...config.lifecycle })`. */
export const lifecycleConfig = defineConfig({
  shutdownGraceMs: durationMs("SHUTDOWN_GRACE_MS", {
    default: 30_000,
    // Below, nothing is left of it for the shutdown itself: 2 s are margin, 0.5 s are for the last log lines.
    min: 3000,
    example: "30000",
    description: "How long the platform waits between the stop signal and the kill; the process is gone 2 s before.",
  }),
});
