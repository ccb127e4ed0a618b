import { connect, type Socket } from "node:net";
import { AppError } from "../errors/index.ts";
import { LOOPBACK } from "./loopback.ts";
import { type RawResponses, splitResponses } from "./raw-response.ts";
import { resetSocket } from "./reset-socket.ts";
import type { TestScope } from "./test-scope.ts";

/** How the server left a connection: ended it (FIN), reset it (RST), or not at all. */
export type PeerEnd = "closed" | "reset" | "open";

/** A bare socket to a server, for clients that misbehave: the slow, the silent, the ones that never read. */
export interface RawConnection {
  /** What was received so far. */
  readonly received: Buffer;
  /** Text is sent as Latin-1, a byte a character. */
  send(bytes: string | Uint8Array): void;
  /** Reads no more: what the server sends piles up in the kernel, and then on its side. */
  stopReading(): void;
  /** Reads on. Only then can `ended` tell that the server is gone. */
  startReading(): void;
  /** Waits for the server to end the connection; `open` when it has not within `timeoutMs`. Rejects when none answers. */
  ended(timeoutMs: number): Promise<PeerEnd>;
  /** Leaves with a FIN. */
  close(): void;
  /** Leaves with a RST. */
  reset(): void;
}

export interface RawExchange extends RawResponses {
  /** All that came. */
  readonly received: Buffer;
  readonly end: PeerEnd;
  /** Milliseconds from the connect until the server ended the connection, or until the time was up. */
  readonly ms: number;
}

/** Opens a bare connection to a port of this machine. It is torn down when the test is over. */
export function rawConnection(t: TestScope, port: number): RawConnection {
  const connection = new SocketConnection(port);
  t.after(() => connection.reset());
  return connection;
}

/**
 * Sends exactly these bytes on a connection of their own and gives all that comes back until the server ends it, or
 * until `timeoutMs` (2000) is over.
 */
export async function rawRequest(
  port: number,
  bytes: string | Uint8Array,
  { timeoutMs = 2_000 }: { readonly timeoutMs?: number } = {},
): Promise<RawExchange> {
  const started = performance.now();
  const connection = new SocketConnection(port);
  connection.send(bytes);
  const end = await connection.ended(timeoutMs);
  const ms = performance.now() - started;
  connection.reset();
  const { received } = connection;
  return { received, end, ms, ...splitResponses(received, methodsOf(bytes)) };
}

function methodsOf(bytes: string | Uint8Array): string[] {
  const requestLine = /^([A-Z]+) \S+ HTTP\/1\.[01]\r?$/gm;
  return Array.from(Buffer.from(bytes).toString("latin1").matchAll(requestLine), ([, method = ""]) => method);
}

class SocketConnection implements RawConnection {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #ended: Promise<PeerEnd>;

  constructor(port: number) {
    this.#socket = connect({ port, host: LOOPBACK, noDelay: true });
    this.#socket.on("data", (bytes) => this.#chunks.push(bytes));
    this.#ended = new Promise((resolve, reject) => {
      this.#socket.on("error", ({ code }: NodeJS.ErrnoException) => {
        if (code === "ECONNREFUSED") reject(new AppError("unavailable", "no server listens on this port"));
        else resolve("reset");
      });
      this.#socket.on("end", () => resolve("closed"));
      this.#socket.on("close", () => resolve("closed"));
    });
    // A caller that never asks has no use for it.
    this.#ended.catch(() => {});
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  stopReading(): void {
    this.#socket.pause();
  }

  startReading(): void {
    this.#socket.resume();
  }

  async ended(timeoutMs: number): Promise<PeerEnd> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<PeerEnd>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, "open");
    });
    return Promise.race([this.#ended, timeUp]).finally(() => clearTimeout(timer));
  }

  close(): void {
    this.#socket.end();
  }

  reset(): void {
    resetSocket(this.#socket);
  }
}
