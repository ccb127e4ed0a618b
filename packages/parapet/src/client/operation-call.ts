import { randomUUID } from "node:crypto";
import type { Static, TSchema } from "typebox";
import type { Context } from "../context/index.ts";
import { type Operation, type OperationOptions, openValidator, successStatus } from "../contract/index.ts";
import type { TransportRequest } from "./transport.ts";

/** A part is left out of the call where none of it is required. */
type Part<K extends string, S> = S extends TSchema
  ? Record<never, never> extends Static<S>
    ? { readonly [P in K]?: Static<S> }
    : { readonly [P in K]: Static<S> }
  : unknown;

/** What a call of an operation takes. */
export type CallOf<O extends OperationOptions> = Part<"params", O["params"]> &
  Part<"query", O["query"]> &
  Part<"body", O["body"]> &
  (O["ifMatch"] extends true
    ? {
        /** The version that is to be changed, and no other: `stale` when there is another by now. */
        readonly expected?: number;
      }
    : unknown) &
  (O["idempotent"] extends true
    ? {
        /** The same for each attempt at the same thing, also later and by another process. One of its own for each call unless said. */
        readonly idempotencyKey?: string;
      }
    : unknown);

/** What any call may have. */
export interface AnyCall {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly expected?: number;
  readonly idempotencyKey?: string;
}

/** An operation as a client sees it, made once. */
export class OperationCodec {
  readonly name: string;
  readonly status: number;
  /** May be asked twice for one effect, or has none: GET and PUT (RFC 9110, 9.2.2), and what takes an idempotency key. */
  readonly isRepeatable: boolean;
  readonly #operation: Operation;
  readonly #reply: ReturnType<typeof openValidator> | undefined;

  constructor(name: string, operation: Operation) {
    const { method, options } = operation;
    this.name = name;
    this.status = successStatus(options);
    this.isRepeatable =
      method === "GET" || (method === "PUT" && options.ifMatch !== true) || options.idempotent === true;
    this.#operation = operation;
    this.#reply = options.reply && openValidator(options.reply);
  }

  /** Tells whether who called can't just call again, since there may be two effects then. */
  isRisky({ idempotencyKey }: AnyCall): boolean {
    const { options } = this.#operation;
    return !this.isRepeatable || (options.idempotent === true && idempotencyKey === undefined);
  }

  /** How long the service itself says that it may take, in milliseconds. */
  get timeoutMs(): number | undefined {
    return this.#operation.options.timeoutMs;
  }

  /** The same for each attempt. */
  toRequest({ params = {}, query = {}, body, expected, idempotencyKey }: AnyCall): TransportRequest {
    const { method, path, options } = this.#operation;
    const headers: Record<string, string> = { accept: "application/json" };
    if (expected !== undefined) headers["if-match"] = `"${expected}"`;
    if (options.idempotent === true) headers["idempotency-key"] = `"${idempotencyKey ?? randomUUID()}"`;
    if (options.body !== undefined) headers["content-type"] = "application/json";
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
    return {
      method,
      path: filled + toQuery(query),
      headers,
      ...(options.body !== undefined && { body: JSON.stringify(body) }),
    };
  }

  /** The reply of an answer of the declared status, or the rules that it breaks. A newer service may say more. */
  read(body: Uint8Array): { readonly reply: unknown } | { readonly broken: readonly string[] } {
    if (this.#reply === undefined) return { reply: undefined };
    let reply: unknown;
    try {
      reply = JSON.parse(utf8.decode(body));
    } catch {
      return { broken: ["it is not JSON"] };
    }
    if (this.#reply.accepts(reply)) return { reply };
    return { broken: this.#reply.violations(reply, "body").map(({ field, rule }) => `${field} ${rule}`) };
  }
}

// Fatal, so that no broken text passes for another.
const utf8 = new TextDecoder("utf-8", { fatal: true });

function toQuery(query: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
    return values.map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(String(one))}`);
  });
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/**
 * How long the service is to know that it has, in milliseconds, as Envoy and gRPC say it. Relative, so that clocks need not agree.
 */
export function deadlineHeaders(ctx: Context): Record<string, string> {
  const ms = Math.floor(ctx.remainingMs());
  return { "x-envoy-expected-rq-timeout-ms": String(ms), "grpc-timeout": `${ms}m` };
}
