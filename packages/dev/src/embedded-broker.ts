import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { AppError } from "parapet/errors";
import { BrokerConnection } from "./broker/connection.ts";
import { VirtualHost } from "./broker/virtual-host.ts";

/** A broker that runs in this process. */
export interface EmbeddedBroker {
  /** `amqp://guest:guest@127.0.0.1:<port>`. */
  readonly url: string;
  /** Ends it and all connections to it; what it holds is gone. */
  stop(): Promise<void>;
}

export interface EmbeddedBrokerOptions {
  /** Where it listens on 127.0.0.1; any free port by default. */
  readonly port?: number;
}

/** For clients to answer the goodbye. */
const GOODBYE_MS = 1000;

/**
 * Starts an AMQP 0-9-1 broker that does what Parapet asks of RabbitMQ, and keeps all in memory: for development and tests. Throws
 * `unavailable` when the port is taken.
 */
export async function startEmbeddedBroker({ port = 0 }: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
  const host = new VirtualHost();
  const connections = new Set<BrokerConnection>();
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = new BrokerConnection(socket, host);
    connections.add(connection);
    socket.once("close", () => connections.delete(connection));
  });
  const url = `amqp://guest:guest@127.0.0.1:${await listen(server, port)}`;
  return { url, stop: () => stop(server, connections, host) };
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch (cause) {
    throw new AppError("unavailable", "the broker can't listen on its port", { cause, fields: { port } });
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new AppError("internal", "the broker has no port");
  return address.port;
}

async function stop(server: Server, connections: ReadonlySet<BrokerConnection>, host: VirtualHost): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const connection of connections) connection.shutDown();
  const timer = setTimeout(() => {
    for (const connection of connections) connection.destroy();
  }, GOODBYE_MS);
  await closed;
  clearTimeout(timer);
  host.close();
}
