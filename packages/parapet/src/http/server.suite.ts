import { parseConfig } from "../config/index.ts";
import { rootContext } from "../context/index.ts";
import type { Aborted, Readiness } from "../lifecycle/index.ts";
import { createRegistry, type Registry } from "../metrics/index.ts";
import { type InMemoryClient, inMemory, type LogLine, type TestScope, testContext } from "../testing/index.ts";
import { type HttpConfig, httpConfig } from "./http-config.ts";
import type { HttpHandler, Route } from "./route.ts";
import { createServer, type HttpServer } from "./server.ts";

/** A server for one test, on a port of its own. */
export interface Serving {
  readonly server: HttpServer;
  readonly port: number;
  readonly metrics: Registry;
  /** What it logged. */
  readonly lines: readonly LogLine[];
  /** Asks it without the network. */
  readonly request: InMemoryClient["request"];
  drain(): Promise<Aborted>;
  stop(): Promise<Aborted>;
  /** The value of a series, by its name and labels as they are exposed; 0 when there is none. */
  metric(series: string): Promise<number>;
}

export interface ServingOptions extends Partial<HttpConfig> {
  readonly ready?: readonly Readiness[];
}

/** Starts a server with these routes and the default settings but for the given ones. It is stopped with the test. */
export async function serve(t: TestScope, routes: readonly Route[], options: ServingOptions = {}): Promise<Serving> {
  const { log, lines } = testContext();
  const metrics = createRegistry();
  const defaults = parseConfig(httpConfig, { PORT: "0", DRAIN_DELAY_MS: "0" });
  const server = createServer({ ...defaults, ...options, routes, log, metrics });
  const ctx = rootContext(log);
  t.after(async () => void (await server.stop(ctx)));
  await server.start(ctx);
  return {
    server,
    port: server.port,
    metrics,
    lines,
    request: inMemory(server.nodeServer).request,
    drain: async () => (await server.drain?.(ctx)) ?? {},
    stop: async () => (await server.stop(ctx)) ?? {},
    metric: async (series) => seriesValue(await metrics.text(), series),
  };
}

/** The bytes of a request for `path` on the host `a`, with these further lines of its head. */
export function get(path: string, ...fields: readonly string[]): string {
  return `${[`GET ${path} HTTP/1.1`, "Host: a", ...fields].join("\r\n")}\r\n\r\n`;
}

/** The bytes of a request that brings a body. */
export function post(path: string, body: string, ...fields: readonly string[]): string {
  const head = [`POST ${path} HTTP/1.1`, "Host: a", `Content-Length: ${Buffer.byteLength(body, "latin1")}`, ...fields];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/** What is waited for in a test, and how to make it come. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A route that answers through this handler. */
export function route(method: "GET" | "POST", path: string, handler: HttpHandler): Route {
  return { kind: "handled", method, path, handler };
}

/** A route that answers `pong` to GET. */
export function ping(path = "/ping"): Route {
  return route("GET", path, async () => ({ status: 200, headers: { "content-type": "text/plain" }, body: "pong" }));
}

function seriesValue(exposition: string, series: string): number {
  const line = exposition.split("\n").find((line) => line.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}
