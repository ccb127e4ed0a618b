import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { AppError } from "parapet/errors";
import type { Conversation, Sighting } from "./conversation.ts";
import { MAX_WAITING_BYTES } from "./message-link.ts";
import { ProxiedConnection } from "./proxied-connection.ts";
import { parseTarget, type TargetAddress, targetAddress } from "./target-address.ts";
import type { Fate, Match, Trap } from "./trap.ts";
import { Traps } from "./traps.ts";

/** A TCP proxy that stands in front of a target, reads what is said, and acts on single messages. */
export interface MessageProxy<Seen> {
  /** The target's URL, through the proxy. */
  readonly url: string;
  /** How many connections were accepted so far. */
  readonly accepted: number;
  /** How many connections are open now. */
  readonly open: number;
  /**
   * Arms a trap for the next message that matches, on whatever connection; it fires once. Of several that match, the
   * one that was armed first has the message, and the others wait on. The message passes unless `fate` says otherwise.
   */
  when(match: Match<Seen>, fate?: Fate): Trap<Seen>;
  /** Calls the listener with every message that has its turn, whatever becomes of it. What it gives back ends that. */
  onMessage(listener: (seen: Seen) => void): () => void;
  /** Resets (RST) what is open, on both sides. New connections are welcome. */
  reset(): void;
  /** Resets what is open, and listens no longer. Traps that wait reject with `canceled`. */
  close(): Promise<void>;
}

export interface ProxyOptions<Seen extends Sighting> {
  /** What the target's URL may start with, as `redis:`. */
  readonly protocols: readonly string[];
  readonly converse: (connection: number) => Conversation<Seen>;
}

/** Starts a proxy on a free loopback port. Throws `invalid` for a URL of another protocol or without a host. */
export async function createMessageProxy<Seen extends Sighting>(
  targetUrl: string,
  options: ProxyOptions<Seen>,
): Promise<MessageProxy<Seen>> {
  const proxy = new TcpMessageProxy(targetUrl, options);
  await proxy.listen();
  return proxy;
}

const LOOPBACK = "127.0.0.1";
// A write says that it is too much from here on.
const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, highWaterMark: MAX_WAITING_BYTES };

class TcpMessageProxy<Seen extends Sighting> implements MessageProxy<Seen> {
  readonly #url: URL;
  readonly #target: TargetAddress;
  readonly #converse: ProxyOptions<Seen>["converse"];
  readonly #traps = new Traps<Seen>();
  readonly #listeners = new Set<(seen: Seen) => void>();
  readonly #connections = new Set<ProxiedConnection<Seen>>();
  readonly #server: Server;
  #accepted = 0;

  constructor(targetUrl: string, { protocols, converse }: ProxyOptions<Seen>) {
    this.#url = parseTarget(targetUrl, protocols);
    this.#target = targetAddress(this.#url);
    this.#converse = converse;
    this.#server = createServer(SOCKET_OPTIONS, (client) => this.#accept(client));
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

  when(match: Match<Seen>, fate: Fate = "pass"): Trap<Seen> {
    return this.#traps.arm(match, fate);
  }

  onMessage(listener: (seen: Seen) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.reset();
    this.#traps.fail(new AppError("canceled", "the proxy was closed"));
    await closed;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, LOOPBACK);
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new AppError("internal", "the proxy has no port");
    this.#url.hostname = LOOPBACK;
    this.#url.port = String(address.port);
  }

  #accept(client: Socket): void {
    const connection = new ProxiedConnection(client, connect({ ...SOCKET_OPTIONS, ...this.#target }), {
      conversation: this.#converse(++this.#accepted),
      traps: this.#traps,
      onMessage: (seen) => this.#tell(seen),
      onUnreadable: (error) => this.#traps.fail(error),
      onClosed: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #tell(seen: Seen): void {
    for (const listener of this.#listeners) listener(seen);
  }
}
