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
