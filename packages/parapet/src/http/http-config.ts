import { type ConfigOf, defineConfig, durationMs, integer, list, port } from "../config/index.ts";
import { drainBudgetMs } from "../lifecycle/index.ts";

/** The settings of a server, to be nested in a service's definition and spread into `createServer`. */
export const httpConfig = defineConfig(
  {
    port: port("PORT", { default: 8080, description: "Where the service listens; 0 lets the system choose." }),
    adminPort: port("ADMIN_PORT", {
      optional: true,
      example: "9090",
      description: "Where probes and metrics answer too; metrics only there, once it is set.",
    }),
    readTimeoutMs: durationMs("READ_TIMEOUT_MS", {
      default: 15_000,
      min: 1,
      description: "How long a request, head and body, may take to arrive.",
    }),
    writeTimeoutMs: durationMs("WRITE_TIMEOUT_MS", {
      default: 15_000,
      min: 1,
      description: "How long a client may take to receive its answer.",
    }),
    idleTimeoutMs: durationMs("IDLE_TIMEOUT_MS", {
      default: 60_000,
      min: 1,
      description: "How long a connection may be idle between requests.",
    }),
    requestTimeoutMs: durationMs("REQUEST_TIMEOUT_MS", {
      default: 10_000,
      min: 1,
      description: "How long a request may take before its caller gets 504; routes may set their own.",
    }),
    drainDelayMs: durationMs("DRAIN_DELAY_MS", {
      default: 5000,
      description: "How long to serve on after the stop signal, while load balancers look away.",
    }),
    drainTimeoutMs: durationMs("DRAIN_TIMEOUT_MS", {
      default: 15_000,
      description: "How long the requests under way get then, before they are aborted.",
    }),
    maxBodyBytes: integer("MAX_BODY_BYTES", {
      default: 1_048_576,
      min: 1,
      description: "The most bytes that a request body may have; operations may set their own.",
    }),
    maxConnections: integer("MAX_CONNECTIONS", {
      default: 10_000,
      min: 1,
      description: "The most connections at once; one more is closed at once.",
    }),
    corsOrigins: list("CORS_ORIGINS", {
      default: [],
      example: "https://app.example.com",
      description: "The origins whose scripts may call the service; none unless set.",
    }),
    lbIdleMs: durationMs("LB_IDLE_MS", {
      optional: true,
      example: "60000",
      description:
        "How long the load balancer keeps idle connections; the service warns when it keeps its own no longer.",
    }),
  },
  (config) => [...portRules(config), ...timeoutRules(config), ...originRules(config)],
);

export type HttpConfig = ConfigOf<typeof httpConfig>;

// What the server keeps of its drain for aborting what is left.
const ABORT_MS = 2000;

/**
 * The rule between the drain and what the platform grants for the whole shutdown, for the check of a service's definition:
 * a sentence when it is broken.
 */
export function drainFits(
  { drainDelayMs, drainTimeoutMs }: Pick<HttpConfig, "drainDelayMs" | "drainTimeoutMs">,
  shutdownGraceMs: number,
): readonly string[] {
  const mostMs = Math.floor(drainBudgetMs(shutdownGraceMs)) - ABORT_MS;
  if (drainDelayMs + drainTimeoutMs <= mostMs) return [];
  return [`DRAIN_DELAY_MS and DRAIN_TIMEOUT_MS may have ${mostMs} ms together, or SHUTDOWN_GRACE_MS must be longer`];
}

function portRules({ port, adminPort }: { port: number; adminPort: number | undefined }): string[] {
  return port !== 0 && port === adminPort ? ["ADMIN_PORT must be another port than PORT"] : [];
}

function timeoutRules(config: { requestTimeoutMs: number; drainTimeoutMs: number }): string[] {
  if (config.requestTimeoutMs < config.drainTimeoutMs) return [];
  return ["REQUEST_TIMEOUT_MS must be below DRAIN_TIMEOUT_MS, so that a stop lets requests finish"];
}

function originRules({ corsOrigins }: { corsOrigins: readonly string[] }): string[] {
  if (corsOrigins.every(isOrigin)) return [];
  return [
    "CORS_ORIGINS must be origins as browsers send them: https://app.example.com, without a path or a slash at the end",
  ];
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
