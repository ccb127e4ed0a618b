import { connect, createServer, type Server, type Socket } from "node:net";
import { AppError } from "../errors/index.ts";
import { FaultLink, type LinkFault } from "./fault-link.ts";
import { LOOPBACK, listenOnLoopback, listenOnSparePort } from "./loopback.ts";
import { resetSocket } from "./reset-socket.ts";
import type { TestScope } from "./test-scope.ts";

const PASS: LinkFault = { kind: "pass" };

/**
 * A TCP proxy that stands in front of a target and breaks the connection on demand. A fault holds for connections that
 * are open and for those to come, until the next one takes its place.
 */
export interface FaultProxy {
  /** The target's URL, through the proxy. */
  readonly url: string;
  /** How many connections were accepted so far. */
  readonly accepted: number;
  /** How many connections are open now. */
  readonly open: number;
  /** No fault. */
  pass(): Promise<void>;
  /** New connections are refused (ECONNREFUSED); open ones go on as they are. */
  refuse(): Promise<void>;
  /** Bytes arrive this much later. */
  latency(ms: number): Promise<void>;
  /** Nothing arrives any more, neither bytes nor the end; what was sent arrives when the hole is over. */
  blackhole(): Promise<void>;
  /** A connection ends after this many more bytes from the target to the client; 0 loses the next reply as a whole. */
  cut(afterBytes: number): Promise<void>;
  /** Bytes arrive a few at a time. */
  slice(bytes: number, everyMs: number): Promise<void>;
  /** Of what the target sends, one bit of about so many bytes is another. */
  flip(everyBytes: number): Promise<void>;
  /** Resets (RST) what is open, on both sides. New connections are welcome. */
  reset(): void;
}

/** Starts a proxy before `targetUrl` (`postgres://…`, `http://…`) on a free loopback port. It is gone when the test is. */
export async function faultProxy(t: TestScope, targetUrl: string): Promise<FaultProxy> {
  const proxy = new TcpFaultProxy(targetUrl);
  await proxy.pass();
  t.after(() => proxy.close());
  return proxy;
}

class TcpFaultProxy implements FaultProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #connections = new Set<Connection>();
  readonly #url: URL;
  #fault = PASS;
  #server: Server | undefined;
  #port = 0;
  #accepted = 0;

  constructor(targetUrl: string) {
    this.#url = new URL(targetUrl);
    this.#target = addressOf(this.#url);
  }

  get url(): string {
    return this.#url.href;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get open(): number {
    return this.#connections.size;
  }

  pass(): Promise<void> {
    return this.#set(PASS);
  }

  latency(ms: number): Promise<void> {
    return this.#set({ kind: "latency", ms });
  }

  blackhole(): Promise<void> {
    return this.#set({ kind: "blackhole" });
  }

  cut(afterBytes: number): Promise<void> {
    return this.#set({ kind: "cut", afterBytes });
  }

  slice(bytes: number, everyMs: number): Promise<void> {
    return this.#set({ kind: "slice", bytes, everyMs });
  }

  flip(everyBytes: number): Promise<void> {
    return this.#set({ kind: "flip", everyBytes });
  }

  async refuse(): Promise<void> {
    this.#server?.close();
    this.#server = undefined;
  }

  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  close(): void {
    this.#server?.close();
    for (const connection of this.#connections) connection.reset();
  }

  async #set(fault: LinkFault): Promise<void> {
    this.#fault = fault;
    for (const connection of this.#connections) connection.setFault(fault);
    if (this.#server !== undefined) return;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    // The same port after a refusal, during which nobody may take it.
    this.#port = await (this.#port === 0
      ? listenOnSparePort(this.#server)
      : listenOnLoopback(this.#server, this.#port));
    this.#url.hostname = LOOPBACK;
    this.#url.port = String(this.#port);
  }

  #accept(client: Socket): void {
    this.#accepted++;
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const connection = new Connection(client, target, this.#fault, () => this.#connections.delete(connection));
    this.#connections.add(connection);
  }
}

/** A client's socket and the one to the target: whichever closes takes the other with it. */
class Connection {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #request: FaultLink;
  readonly #reply: FaultLink;
  readonly #onClosed: () => void;
  #isBlackhole = false;

  constructor(client: Socket, target: Socket, fault: LinkFault, onClosed: () => void) {
    this.#client = client;
    this.#target = target;
    this.#onClosed = onClosed;
    this.#request = new FaultLink(client, target, requestFault(fault));
    this.#reply = new FaultLink(target, client, fault);
    this.#isBlackhole = fault.kind === "blackhole";
    for (const socket of [client, target]) {
      // A close follows, and that is what we act on.
      socket.on("error", () => {});
      socket.on("close", () => this.#settle());
    }
  }

  setFault(fault: LinkFault): void {
    this.#isBlackhole = fault.kind === "blackhole";
    this.#request.setFault(requestFault(fault));
    this.#reply.setFault(fault);
    this.#settle();
  }

  reset(): void {
    resetSocket(this.#client);
    resetSocket(this.#target);
  }

  #settle(): void {
    const open = [this.#client, this.#target].filter((socket) => !socket.closed);
    if (open.length === 2) return;
    if (open.length === 0) {
      this.#request.close();
      this.#reply.close();
      this.#onClosed();
    }
    // Through a black hole nobody hears that the other side is gone.
    if (!this.#isBlackhole) for (const socket of open) breakOff(socket);
  }
}

function breakOff(socket: Socket): void {
  // One that was told to end still has bytes on their way.
  if (socket.writableEnded) socket.destroySoon();
  else resetSocket(socket);
}

function requestFault(fault: LinkFault): LinkFault {
  return fault.kind === "cut" || fault.kind === "flip" ? PASS : fault;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "amqp:": 5672,
  "http:": 80,
  "postgres:": 5432,
  "postgresql:": 5432,
  "redis:": 6379,
};

function addressOf({ protocol, hostname, port }: URL): { host: string; port: number } {
  const number = port === "" ? DEFAULT_PORTS[protocol] : Number(port);
  if (hostname === "" || number === undefined) {
    throw new AppError("invalid", "a fault proxy needs a URL with a host and a port");
  }
  return { host: hostname.replace(/^\[|\]$/g, ""), port: number };
}
