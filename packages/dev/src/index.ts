export { buildServices, formatBundles } from "./build-services.ts";
export { type Bundle, type BundleServiceOptions, bundleService } from "./bundle-service.ts";
export { type DevOptions, dev } from "./dev.ts";
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";
export { reported } from "./reported.ts";
