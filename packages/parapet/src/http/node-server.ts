import { randomUUID } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Connections } from "./connections.ts";
import type { Door } from "./door.ts";
import { Exchange, type ExchangeParts } from "./exchange.ts";
import { MAX_HEADER_BYTES } from "./head.ts";
import { type ParserError, toRawResponse, toRefusal } from "./parser-error.ts";
import { Refusal } from "./refusal.ts";

export interface NodeServerOptions {
  /** How long head and body may take to arrive, in milliseconds. */
  readonly readTimeoutMs: number;
  /** How long a connection may be idle between requests, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** The most connections at once; one more is closed at once. */
  readonly maxConnections: number;
}

/** How often timeouts are looked at, in milliseconds. */
export const SWEEP_MS = 1000;

/**
 * Runs what begins within one turn of the event loop one after the other, when all of it has been read. Reading, running and
 * answering each request by itself costs twice the processor time: each step finds the caches full of the others.
 */
function createTurns(): (exchange: Exchange) => void {
  let begun: Exchange[] = [];
  const runAll = (): void => {
    const turn = begun;
    begun = [];
    for (const exchange of turn) void exchange.run();
  };
  return (exchange) => {
    if (begun.push(exchange) === 1) setImmediate(runAll);
  };
}

/** Makes the node:http server whose every event ends in an exchange or a refusal. It does not listen yet. */
export function createNodeServer(door: Door, connections: Connections, options: NodeServerOptions): http.Server {
  const server = http.createServer({
    headersTimeout: options.readTimeoutMs,
    requestTimeout: options.readTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    connectionsCheckingInterval: SWEEP_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Checked with the rest of the head, where the answer is a problem document.
    requireHostHeader: false,
    // Whatever the command line says.
    insecureHTTPParser: false,
  });
  const runTogether = createTurns();
  // A bound here would cut fields off in silence; the head's own check refuses.
  server.maxHeadersCount = 0;
  server.maxConnections = options.maxConnections;
  server.on("connection", (socket) => connections.opened(socket));
  server.on("drop", () => door.metrics.connectionRefused());
  server.on("timeout", (socket) => connections.of(socket)?.closeGently());
  // Whether an expectation can be met is checked with the rest of the head, too.
  for (const event of ["request", "checkContinue", "checkExpectation"]) server.on(event, arrive);
  server.on("connect", (_request, socket) => {
    // Node lets go of the socket here, and the answers before the tunnel's still have to hear of these.
    socket.on("drain", () => connections.of(socket)?.drained());
    socket.on("end", () => socket.end());
    broke(socket, new Refusal(501, "tunnels are not offered"));
  });
  server.on("clientError", (error: ParserError, socket) => {
    // Half a request and then a FIN: nobody is there for the answer, nor for one under way.
    if (error.code === "HPE_INVALID_EOF_STATE" && connections.of(socket)?.isBusy === true) socket.destroy();
    else broke(socket, toRefusal(error));
  });

  function arrive(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.of(request.socket);
    connection?.arrived({ request, begin: () => begin({ request, response, connection }) });
  }

  function begin(parts: Omit<ExchangeParts, "onOver">): Exchange {
    const exchange = new Exchange(door, { ...parts, onOver: () => connections.ended(exchange) });
    connections.began(exchange);
    runTogether(exchange);
    return exchange;
  }

  function broke(socket: Duplex, refusal: Refusal): void {
    // What destroyed it comes here too: resets and the like.
    if (socket.destroyed) return;
    const connection = connections.of(socket);
    connection?.broke(refusal, () => {
      const requestId = randomUUID();
      socket.write(toRawResponse(refusal, requestId));
      connection.closeGently();
      door.metrics.refusedByParser(refusal.status);
      door.log.info("request refused", { request_id: requestId, status: refusal.status });
    });
  }

  return server;
}
