export { buildServices, formatBundles } from "./build-services.ts";
export { type Bundle, type BundleServiceOptions, bundleFile, bundleService } from "./bundle-service.ts";
export { type DevOptions, dev } from "./dev.ts";
export { type EmbeddedBroker, type EmbeddedBrokerOptions, startEmbeddedBroker } from "./embedded-broker.ts";
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";
export { reported } from "./reported.ts";
export { untilInterrupted } from "./stop-signals.ts";
export { formatTable } from "./table.ts";
export { urlVariableOf } from "./workspace.ts";
