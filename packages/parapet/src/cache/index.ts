export { type Cache, type CacheOptions, createCache } from "./cache.ts";
export { cacheConfig } from "./config.ts";
export type { Entries, EntriesOptions } from "./entries.ts";
