import type http from "node:http";
import net, { type AddressInfo } from "node:net";
import { setImmediate } from "node:timers/promises";
import { type Context, orDone } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import { Connections } from "./connections.ts";
import type { Door } from "./door.ts";
import { createNodeServer, type NodeServerOptions } from "./node-server.ts";

/** Where to listen, and the setting that says so. */
export interface ListenOn {
  readonly port: number;
  readonly variable: string;
}

/** One port and what comes in through it. */
export class Listener {
  readonly connections = new Connections();
  readonly nodeServer: http.Server;
  #accepted = 0;

  constructor(door: Door, options: NodeServerOptions) {
    this.nodeServer = createNodeServer(door, this.connections, options);
    this.nodeServer.on("connection", () => this.#accepted++);
  }

  /** The port it listens on, or undefined while it does not. */
  get port(): number | undefined {
    return (this.nodeServer.address() as AddressInfo | null)?.port;
  }

  /** Listens. Throws `unavailable` when the port can't be had, `canceled` when it is closed meanwhile. */
  async listen(ctx: Context, on: ListenOn): Promise<void> {
    const server = this.nodeServer;
    const listening = new Promise<void>((resolve, reject) => {
      server.once("listening", resolve);
      server.once("error", (error) => reject(toListenError(error, on)));
      server.once("close", () => reject(new AppError("canceled", "the server was stopped")));
      server.listen(on.port);
    });
    await orDone(ctx, listening);
    // A connection that could not be accepted, for want of descriptors for one, is not the end of the others.
    server.on("error", (error) => ctx.log.warn("a connection was not accepted", { error }));
  }

  /**
   * Accepts the connections that wait for it, as many do while the process is short of time: their clients are connected
   * already, and a close resets them. Close right after.
   */
  async acceptWaiting(ctx: Context): Promise<void> {
    for (let before = -1; before !== this.#accepted; ) {
      ctx.throwIfDone();
      before = this.#accepted;
      // Each turn of the event loop accepts one, unless there is none.
      await setImmediate();
    }
  }

  /** Takes no new connections. */
  close(): void {
    // Not http.Server's close: that ends the sweep of read timeouts and destroys idle connections, resets included.
    if (this.nodeServer.listening) net.Server.prototype.close.call(this.nodeServer);
  }

  /** Cuts what is left. */
  destroy(): void {
    this.close();
    this.connections.cutAll();
    // Node's own close, for the timer of its sweep.
    this.nodeServer.close();
  }
}

function toListenError(error: NodeJS.ErrnoException, { port, variable }: ListenOn): AppError {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} is in use: stop what listens there, or set ${variable} to another port`,
    EACCES: `port ${port} may not be used: set ${variable} to a port above 1023`,
  };
  return new AppError("unavailable", reasons[error.code ?? ""] ?? "the server cannot listen", { cause: error });
}
