import type { Socket } from "node:net";

// Long enough for an answer on its way to be read, short enough not to pile up.
const LINGER_MS = 500;

/**
 * Closes a connection in two steps, RFC 9112, 9.6: our half first, the rest when the peer closed its own or had time to
 * read. Closing both at once while bytes of the peer are unread makes the kernel send a reset, which destroys the answer
 * on its way.
 */
export function closeGently(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}
