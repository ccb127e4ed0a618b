import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import pg from "pg";

/** What this file uses of the driver's connection, whose own types leave it out. */
interface DriverConnection extends EventEmitter {
  readonly stream: Duplex;
}

/** A client of the driver, whose types stay in this room. */
export interface GuardedClient extends EventEmitter {
  connect(): Promise<unknown>;
}

/**
 * A client of the driver, which throws out of its listener at bytes that it does not understand. Such a throw would end the process;
 * here it ends the connection. The driver's pool makes its clients by `new`, so this can be called in that way, too.
 */
export function guardedClient(settings: object): GuardedClient {
  const client = new pg.Client(settings);
  const { connection } = client as unknown as { readonly connection: DriverConnection };
  guard(connection.stream);
  // With TLS it goes on with another one.
  connection.once("sslconnect", () => guard(connection.stream));
  return client;
}

function guard(stream: Duplex): void {
  stream.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    try {
      return EventEmitter.prototype.emit.call(stream, event, ...args);
    } catch (thrown) {
      if (event !== "data") throw thrown;
      stream.destroy(thrown instanceof Error ? thrown : new Error("the driver threw what is no error"));
      return true;
    }
  };
}
