import { defineConfig, durationMs, integer } from "../config/index.ts";

export const DEFAULT_TTL_MS = 60_000;
export const DEFAULT_NEAR_ENTRIES = 10_000;

/** The settings of a cache beside its URL, to be nested in a service's definition: `createCache(url, { log, ...config.cache })`. */
export const cacheConfig = defineConfig({
  ttlMs: durationMs("CACHE_TTL_MS", {
    default: DEFAULT_TTL_MS,
    min: 0,
    max: 86_400_000,
    example: "30000",
    description:
      "The longest that something read is kept, and so the longest that it can be out of date; 0 for no cache.",
  }),
  nearEntries: integer("CACHE_NEAR_ENTRIES", {
    default: DEFAULT_NEAR_ENTRIES,
    min: 0,
    max: 10_000_000,
    example: "50000",
    description: "How many entries of a kind each process holds itself; 0 leaves them all to Redis.",
  }),
});
