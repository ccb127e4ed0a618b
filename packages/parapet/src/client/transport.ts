import type { Context } from "../context/index.ts";

/** A request as it goes out. Header names are lower case. */
export interface TransportRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What came of a request: a whole answer, or none. */
export type TransportResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** Header names are lower case; see `singleHeaders`. */
      readonly headers: Readonly<Record<string, string | undefined>>;
      readonly body: Uint8Array;
    }
  | {
      readonly kind: "failure";
      /** False when it is certain that nothing of the request arrived. */
      readonly mayHaveArrived: boolean;
      readonly cause: unknown;
    };

/** How requests reach a service: over TCP, or within the process. */
export interface Transport {
  /** Sends one request once, and follows no redirect. It stops when `ctx` ends, with a failure; it throws nothing. */
  send(ctx: Context, request: TransportRequest): Promise<TransportResult>;
  /** Ends all connections, also those that are in use. */
  close(): Promise<void>;
}

/** Headers as a transport gives them: one that came more than once is one, joined by commas (RFC 9110, 5.3). */
export function singleHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | undefined> {
  const joined = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(", ") : value,
  ]);
  return Object.fromEntries(joined);
}
