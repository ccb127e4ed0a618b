import { EventEmitter } from "node:events";
import type { Pool } from "undici";
import type { Context } from "../context/index.ts";
import { createLookup } from "./lookup.ts";
import { singleHeaders, type Transport, type TransportRequest, type TransportResult } from "./transport.ts";

export interface UndiciTransportOptions {
  readonly baseUrl: URL;
  readonly connections: number;
  /** The most that the body of an answer may have, in bytes. */
  readonly maxReplyBytes: number;
}

/**
 * Shorter than any server or load balancer keeps a connection: one that is closed while a request is on its way to it loses the request.
 * (Node's own servers: 5 s; RFC 9112, 9.3.1.)
 */
const KEEP_ALIVE_MS = 4000;
/** A second by the clock: undici's own timers go by the half second, and round up. */
const CONNECT_TIMEOUT_MS = 500;

/** Opens a pool of connections. undici is loaded here, so that who calls nobody does not pay for it. */
export async function undiciTransport(options: UndiciTransportOptions): Promise<Transport> {
  const { Pool } = await import("undici");
  const { baseUrl, connections, maxReplyBytes } = options;
  const pool = new Pool(baseUrl.origin, {
    connections,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS, lookup: createLookup() },
    // Each attempt has a deadline, which ends it whatever it waits for.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: maxReplyBytes,
  });
  return new UndiciTransport(pool, baseUrl.pathname.replace(/\/$/, ""));
}

class UndiciTransport implements Transport {
  readonly #pool: Pool;
  readonly #prefix: string;

  constructor(pool: Pool, prefix: string) {
    this.#pool = pool;
    this.#prefix = prefix;
  }

  async send(ctx: Context, { method, path, headers, body }: TransportRequest): Promise<TransportResult> {
    if (ctx.done !== undefined) return { kind: "failure", mayHaveArrived: false, cause: ctx.done };
    // What undici also takes for a signal, and costs a tenth of one.
    const signal = new EventEmitter();
    const off = ctx.onDone((reason) => signal.emit("abort", reason));
    try {
      const answer = await this.#pool.request({
        method: method as "GET",
        path: this.#prefix + path,
        headers,
        body: body ?? null,
        signal,
      });
      const bytes = await answer.body.bytes();
      return { kind: "answer", status: answer.statusCode, headers: singleHeaders(answer.headers), body: bytes };
    } catch (cause) {
      return { kind: "failure", mayHaveArrived: !isOfConnecting(cause), cause };
    } finally {
      off();
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

const BEFORE_SENDING = new Set(["UND_ERR_CONNECT_TIMEOUT", "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL"]);
// OpenSSL's names for a certificate that is not trusted, as Node has them.
const OF_CERTIFICATES = /^(ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** Tells whether no connection came about, so that nothing was sent. */
function isOfConnecting(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const { code = "", syscall } = cause as NodeJS.ErrnoException;
  if (cause instanceof AggregateError) return cause.errors.every(isOfConnecting);
  return syscall === "connect" || BEFORE_SENDING.has(code) || OF_CERTIFICATES.test(code);
}
