import type { OutgoingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import { singleHeaders, type Transport } from "../client/index.ts";
import { exchange, type Reply } from "./http-exchange.ts";
import { socketPair } from "./socket-pair.ts";

/** What takes connections: a `node:http` server, listening or not. */
export interface ConnectionTarget {
  emit(event: "connection", connection: Duplex): boolean;
}

export interface InMemoryRequest {
  /** GET unless said. */
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
  /** A body to be sent as JSON, with its content type. */
  readonly json?: unknown;
}

/** A client, and a transport for the typed ones. */
export interface InMemoryClient extends Transport {
  request(request: InMemoryRequest): Promise<Reply>;
}

// Far more than any answer takes that needs no network.
const TIMEOUT_MS = 10_000;

/** A client of a `node:http` server that reaches it without a port: the server's own parser, no network. `createClient` takes it for a transport. */
export function inMemory(server: ConnectionTarget): InMemoryClient {
  const createConnection = (): Duplex => {
    const [client, connection] = socketPair();
    server.emit("connection", connection);
    return client;
  };
  return {
    request: ({ method = "GET", path, headers, body, json }) =>
      exchange(
        {
          method,
          path,
          headers: { ...(json === undefined ? {} : { "content-type": "application/json" }), ...headers },
          createConnection,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        json === undefined ? body : JSON.stringify(json),
      ),
    send: async (ctx, { method, path, headers, body }) => {
      try {
        const sent = exchange({ method, path, headers, createConnection, signal: ctx.signal }, body);
        const { status, headers: answered, body: text } = await sent;
        return { kind: "answer", status, headers: singleHeaders(answered), body: Buffer.from(text) };
      } catch (cause) {
        return { kind: "failure", mayHaveArrived: true, cause };
      }
    },
    close: async () => {},
  };
}
