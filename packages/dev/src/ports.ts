import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { AppError } from "parapet/errors";
import { hasErrno } from "./errno.ts";

/** A port of 127.0.0.1 that nobody listens on. Somebody may be quicker than its user: be ready to ask again. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

/** The port that a TCP server listens on. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new AppError("internal", "a TCP server has a port");
  return address.port;
}

/** Tells whether a service could listen on the port, on all addresses as well as on loopback alone. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port, undefined)) && (await canListen(port, "127.0.0.1"));
}

async function canListen(port: number, host: string | undefined): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch (thrown) {
    if (hasErrno(thrown, "EADDRINUSE", "EACCES")) return false;
    throw thrown;
  }
}
