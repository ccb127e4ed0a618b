import type http from "node:http";
import { type Context, orDone, sleep, withCancel, withTimeout } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";
import type { Aborted, Component, Readiness } from "../lifecycle/index.ts";
import type { Logger } from "../log/index.ts";
import { collectProcessMetrics, metrics as processMetrics, type Registry } from "../metrics/index.ts";
import { createAccessLog } from "./access-log.ts";
import { createCors } from "./cors.ts";
import type { Door } from "./door.ts";
import type { HttpConfig } from "./http-config.ts";
import { createHttpMetrics } from "./http-metrics.ts";
import { Listener } from "./listener.ts";
import { checkLiveness } from "./liveness.ts";
import { SWEEP_MS } from "./node-server.ts";
import { type Health, metricsRoute, probeRoutes } from "./probes.ts";
import type { Route } from "./route.ts";
import { createRouter } from "./router.ts";

export interface ServerOptions extends HttpConfig {
  readonly log: Logger;
  readonly routes: readonly Route[];
  /** What readiness depends on. It latches there: an outage later is a 503 of the routes that need it, not of `/readyz`. */
  readonly ready?: readonly Readiness[];
  /** Where requests are counted and the process is measured; the process-wide registry unless said. */
  readonly metrics?: Registry;
}

/** An HTTP server as a component. */
export interface HttpServer extends Component {
  /** The port it listens on: the one of the configuration, or the one that the system chose for 0. */
  readonly port: number;
  /** Node's server, for tests that bring their own connections. */
  readonly nodeServer: http.Server;
}

// The part of the drain in which a process that is short of time takes in who is connected already. Not all of it: new
// clients may keep coming.
const ACCEPT_SHARE = 0.25;
// What half-sent requests get to become whole after the lame duck, so that nobody holds up the exit by trickling.
const ARRIVAL_MS = 1000;
// Time kept back from the drain for aborting what is left: one second for rollbacks, one for answers on their way.
const ABORT_MS = 1000;
const RETRY_AFTER_STOP_MS = 1000;

/**
 * Creates the server: the routes, and `/health`, `/livez`, `/readyz` and `/metrics` beside them. With an admin port all
 * four answer there, and `/metrics` only there. Constructing does no I/O; throws `internal` when routes clash.
 */
export function createServer(options: ServerOptions): HttpServer {
  return new NodeHttpServer(options);
}

class NodeHttpServer implements HttpServer {
  readonly name = "http";
  readonly commands = { health: (ctx: Context) => checkLiveness(ctx, this.#options.adminPort ?? this.#options.port) };
  readonly #options: ServerOptions;
  readonly #main: Listener;
  readonly #admin: Listener | undefined;
  #isDraining = false;
  #sweep: NodeJS.Timeout | undefined;
  #cutDrainShort: (reason: AppError) => void = () => {};
  #stopProcessMetrics: () => void = () => {};

  constructor(options: ServerOptions) {
    this.#options = options;
    const { routes, ready = [], adminPort, metrics = processMetrics } = options;
    const door = this.#doorOf(metrics);
    const health: Health = { ready, isDraining: () => this.#isDraining };
    const listenerOf = (routes: readonly Route[]): Listener =>
      new Listener({ ...door, router: createRouter(routes) }, options);
    const probes = probeRoutes(health);
    const exposition = metricsRoute(metrics);
    const hasAdmin = adminPort !== undefined;
    this.#main = listenerOf([...routes, ...probes, ...(hasAdmin ? [] : [exposition])]);
    this.#admin = hasAdmin ? listenerOf([...probes, exposition]) : undefined;
  }

  get port(): number {
    return this.#main.port ?? this.#options.port;
  }

  get nodeServer(): http.Server {
    return this.#main.nodeServer;
  }

  async start(ctx: Context): Promise<void> {
    const { port, adminPort = 0, log, metrics = processMetrics } = this.#options;
    this.#stopProcessMetrics = collectProcessMetrics(metrics, log);
    this.#warnOfIdleRace();
    this.#sweep = setInterval(() => this.#cutStuck(), SWEEP_MS).unref();
    await this.#main.listen(ctx, { port, variable: "PORT" });
    await this.#admin?.listen(ctx, { port: adminPort, variable: "ADMIN_PORT" });
    log.info("listening", { port: this.port, admin_port: this.#admin?.port });
  }

  /**
   * The order of a lame duck: not ready, but serving, while load balancers look away; then no new connections; then the
   * requests under way. What is left when time runs out is told to stop and answered 503. The admin port stays open.
   */
  drain(ctx: Context): Promise<Aborted | undefined> {
    this.#isDraining = true;
    return withCancel(ctx, (ctx, cancel) => {
      this.#cutDrainShort = cancel;
      return this.#drain(ctx);
    });
  }

  async stop(ctx: Context): Promise<Aborted | undefined> {
    this.#isDraining = true;
    this.#cutDrainShort(new AppError("canceled", "the server was stopped"));
    clearInterval(this.#sweep);
    this.#stopProcessMetrics();
    const stops = this.#listeners().map((listener) => this.#stop(ctx, listener));
    const aborted = await Promise.all(stops);
    return { http: aborted.reduce((sum, n) => sum + n, 0) };
  }

  #doorOf(registry: Registry): Omit<Door, "router"> {
    const { log, corsOrigins, requestTimeoutMs, maxBodyBytes } = this.#options;
    const openConnections = (): number => this.#listeners().reduce((sum, { connections }) => sum + connections.size, 0);
    return {
      log,
      cors: createCors(corsOrigins),
      metrics: createHttpMetrics(registry, openConnections),
      accessLog: createAccessLog(log),
      budgetMs: requestTimeoutMs,
      maxBodyBytes,
      isDraining: () => this.#isDraining,
    };
  }

  async #drain(ctx: Context): Promise<Aborted | undefined> {
    const { connections } = this.#main;
    await this.#lameDuck(ctx);
    await within(ctx, ACCEPT_SHARE * this.#drainMs(ctx), (ctx) => this.#main.acceptWaiting(ctx));
    this.#main.close();
    connections.closeIdle();
    if (await within(ctx, this.#drainMs(ctx), (ctx) => this.#finish(ctx))) return undefined;
    const aborted = connections.abortAll((exchange) => exchange.abort(stopping()));
    await within(ctx, ABORT_MS, (ctx) => orDone(ctx, connections.whenQuiet()));
    return { http: aborted };
  }

  /** How long there is to wait for requests: as long as is set, or until the time to abort them. */
  #drainMs(ctx: Context): number {
    return Math.min(this.#options.drainTimeoutMs, ctx.remainingMs() - 2 * ABORT_MS);
  }

  async #lameDuck(ctx: Context): Promise<void> {
    const { drainDelayMs } = this.#options;
    // With too little time for both, the requests under way matter more.
    if (drainDelayMs === 0 || ctx.remainingMs() < drainDelayMs + 2 * ABORT_MS) return;
    await within(ctx, Number.POSITIVE_INFINITY, (ctx) => sleep(ctx, drainDelayMs));
  }

  /** Waits for the requests that are here, and a moment for those of which a part is. */
  async #finish(ctx: Context): Promise<void> {
    const { connections } = this.#main;
    if (await within(ctx, ARRIVAL_MS, (ctx) => orDone(ctx, connections.whenQuiet()))) return;
    connections.closeArriving();
    await orDone(ctx, connections.whenQuiet());
  }

  /** Gives how many exchanges were aborted. */
  async #stop(ctx: Context, listener: Listener): Promise<number> {
    const { connections } = listener;
    listener.close();
    const aborted = connections.abortAll((exchange) => exchange.abort(stopping()));
    connections.closeAll();
    await within(ctx, ABORT_MS, (ctx) => orDone(ctx, connections.whenQuiet()));
    listener.destroy();
    return aborted;
  }

  #warnOfIdleRace(): void {
    const { idleTimeoutMs, lbIdleMs = 0, log } = this.#options;
    if (idleTimeoutMs > lbIdleMs) return;
    const fields = { idle_timeout_ms: idleTimeoutMs, lb_idle_ms: lbIdleMs };
    log.warn(
      "IDLE_TIMEOUT_MS is not above LB_IDLE_MS: the load balancer will meet connections that just closed",
      fields,
    );
  }

  #cutStuck(): void {
    for (const { connections } of this.#listeners()) {
      const cut = connections.cutStuck(performance.now(), this.#options.writeTimeoutMs);
      if (cut > 0) this.#options.log.info("connections cut, their answers not taken in time", { connections: cut });
    }
  }

  #listeners(): Listener[] {
    return this.#admin === undefined ? [this.#main] : [this.#main, this.#admin];
  }
}

function stopping(): AppError {
  return new AppError("unavailable", "the service is stopping", { retryAfterMs: RETRY_AFTER_STOP_MS });
}

/** Tells whether the work was done within the limit and the context. */
async function within(ctx: Context, limitMs: number, work: (ctx: Context) => Promise<void>): Promise<boolean> {
  try {
    await withTimeout(ctx, limitMs, work);
    return true;
  } catch (thrown) {
    if (hasCode(thrown, "timeout", "canceled")) return false;
    throw thrown;
  }
}
