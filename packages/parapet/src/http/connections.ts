import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Connection } from "./connection.ts";
import type { Exchange } from "./exchange.ts";

/** A server's open connections, and the exchanges that are not over. */
export class Connections {
  readonly #open = new Map<Duplex, Connection>();
  readonly #exchanges = new Set<Exchange>();
  readonly #waiting = new Set<() => void>();
  #isClosing = false;

  /** Open connections. */
  get size(): number {
    return this.#open.size;
  }

  /** Exchanges under way. */
  get exchanges(): number {
    return this.#exchanges.size;
  }

  opened(socket: Socket): void {
    const connection = new Connection(socket, () => {
      if (this.#isClosing) connection.closeGently();
    });
    this.#open.set(socket, connection);
    socket.once("close", () => {
      connection.closed();
      this.#open.delete(socket);
      this.#changed();
    });
  }

  /** The connection of a socket while it is open. */
  of(socket: Duplex): Connection | undefined {
    return this.#open.get(socket);
  }

  began(exchange: Exchange): void {
    this.#exchanges.add(exchange);
  }

  ended(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    this.#changed();
  }

  /** Cuts the connections whose peers don't take their answers. Gives how many. */
  cutStuck(now: number, writeTimeoutMs: number): number {
    const stuck = [...this.#open.values()].filter((connection) => connection.isStuck(now, writeTimeoutMs));
    for (const { socket } of stuck) cut(socket);
    return stuck.length;
  }

  /** Closes the idle connections, and from now on each one as it falls idle. */
  closeIdle(): void {
    this.#isClosing = true;
    for (const connection of this.#open.values()) if (connection.isIdle) connection.closeGently();
  }

  /** Closes the connections on which half a request has arrived, or none ever. */
  closeArriving(): void {
    for (const connection of this.#open.values()) if (!connection.isBusy) connection.closeGently();
  }

  /** Aborts every exchange through `abort`. Gives how many there were. */
  abortAll(abort: (exchange: Exchange) => void): number {
    const aborted = [...this.#exchanges].filter(({ isAborted }) => !isAborted);
    for (const exchange of aborted) abort(exchange);
    return aborted.length;
  }

  /** Closes all connections, those with an answer under way as soon as that is out. */
  closeAll(): void {
    for (const connection of this.#open.values()) connection.closeGently();
  }

  /** Cuts all connections. */
  cutAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  /** Settles when no connection is open and no exchange under way. */
  whenQuiet(): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.size + this.exchanges > 0) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #changed(): void {
    for (const check of this.#waiting) check();
  }
}

/** Resets a connection, so that the kernel lets go of what it holds for the peer. */
function cut(socket: Socket): void {
  // After a FIN Node's reset fails and leaks the handle.
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
