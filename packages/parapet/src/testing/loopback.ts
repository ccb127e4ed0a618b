import { once } from "node:events";
import type { Server } from "node:net";
import { AppError } from "../errors/index.ts";

/** The only address that the kit listens on and connects to. */
export const LOOPBACK = "127.0.0.1";

/** Listens on the loopback address, at `port` or at a free one, and gives the port. Rejects when it can't. */
export async function listenOnLoopback(server: Server, port = 0): Promise<number> {
  server.listen(port, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new AppError("internal", "the server has no port");
  return address.port;
}

// Below what systems hand out by themselves: Linux from 32768, IANA's recommendation (RFC 6335) from 49152.
const SPARE_PORTS = { from: 16_384, below: 32_768 };
const ATTEMPTS = 20;

/**
 * Listens on a random free port that no system gives to anybody who asks for any, so that it stays free for the caller while
 * nobody listens on it. Rejects when it can't.
 */
export async function listenOnSparePort(server: Server): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const { from, below } = SPARE_PORTS;
    const port = from + Math.floor(Math.random() * (below - from));
    try {
      return await listenOnLoopback(server, port);
    } catch (thrown) {
      const isTaken = thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE";
      if (!isTaken || attempt === ATTEMPTS) throw thrown;
    }
  }
}
