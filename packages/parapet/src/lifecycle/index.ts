export type { Aborted, Component, Readiness } from "./component.ts";
export { lifecycleConfig } from "./lifecycle-config.ts";
export { createRepeating, type RepeatingOptions } from "./repeating.ts";
export { type RunOptions, run } from "./run.ts";
export { drainBudgetMs } from "./shutdown-limits.ts";
