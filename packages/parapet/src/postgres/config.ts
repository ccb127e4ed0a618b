import { defineConfig, durationMs, integer } from "../config/index.ts";

export const DEFAULT_POOL_MAX = 10;
export const DEFAULT_STATEMENT_TIMEOUT_MS = 5000;

/** The settings of a database beside its URL, to be nested in a service's definition: `createDatabase(url, { log, ...config.postgres })`. */
export const postgresConfig = defineConfig({
  poolMax: integer("DATABASE_POOL_MAX", {
    default: DEFAULT_POOL_MAX,
    min: 1,
    max: 1000,
    example: "20",
    description: "The most connections that one process opens; ten times as many requests may wait for one.",
  }),
  statementTimeoutMs: durationMs("DATABASE_STATEMENT_TIMEOUT_MS", {
    default: DEFAULT_STATEMENT_TIMEOUT_MS,
    min: 100,
    example: "2000",
    description: "The longest that one statement may take; less when its request has less time left.",
  }),
});
