import type { EventEmitter } from "node:events";
import { type NetConnectOpts, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Batch } from "./batch.ts";
import type { BackendKey } from "./cancel-request.ts";

export interface DriverQuery {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
  /** Its rows are of no interest, so that a batch need not have them described. */
  readonly discardsRows?: boolean;
}

export interface DriverResult {
  readonly rows: readonly unknown[];
  /** Rows affected; null for statements that have no count. */
  readonly rowCount: number | null;
  /** The command that ran, as the server names it: `COMMIT`. */
  readonly command: string;
}

/** What this room uses of the driver's client, so that its types stay in this room; its own leave out the backend key. */
export interface DriverClient {
  readonly host: string;
  readonly port: number;
  /** Null while the server, or a proxy before it, has not told. */
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly connection: {
    readonly stream: Duplex;
    /** The texts of the statements that the server has prepared, as the driver believes, by their names. */
    readonly parsedStatements: Record<string, string>;
  };
  query(query: DriverQuery, done: (error: Error | undefined, result: DriverResult) => void): void;
  query(batch: Batch): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "notification", listener: () => void): unknown;
  once(event: "drain" | "end", listener: () => void): unknown;
  off(event: "drain" | "end", listener: () => void): unknown;
  end(): Promise<void>;
}

/** Takes a client of the driver; its type is not named, so that no declaration of ours needs the driver's. */
export function driverClient(client: EventEmitter): DriverClient {
  return client as unknown as DriverClient;
}

/** Has the driver prepare a statement anew that the server does not know. */
export function forget({ connection: { parsedStatements } }: DriverClient, { name }: DriverQuery): void {
  if (name !== undefined) delete parsedStatements[name];
}

/** What a cancel names the session by; undefined behind a proxy that keeps it to itself. */
export function backendKey({ processID, secretKey }: DriverClient): BackendKey | undefined {
  return processID === null || secretKey === null ? undefined : { processId: processID, secret: secretKey };
}

/** Where the client's server listens: the very address it is connected to, since a name may lead to several servers. */
export function serverAddress({ host, port, connection: { stream } }: DriverClient): NetConnectOpts {
  if (host.startsWith("/")) return { path: `${host}/.s.PGSQL.${port}` };
  const address = stream instanceof Socket ? stream.remoteAddress : undefined;
  return { host: address ?? host, port };
}
