import type { Socket } from "node:net";

/** Ends a connection with a RST, or with a plain close where that is too late. */
export function resetSocket(socket: Socket): void {
  // On top of a FIN that is under way Node reports EINVAL and leaks the handle; while connecting it waits for the connect.
  if (socket.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
