import { EventEmitter } from "node:events";
import { Socket } from "node:net";

/**
 * A socket for the driver, which throws out of its listener at bytes that it does not understand. Such a throw would end
 * the process; here it ends the connection.
 */
export function guardedSocket(): Socket {
  const socket = new Socket();
  socket.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    try {
      return EventEmitter.prototype.emit.call(socket, event, ...args);
    } catch (thrown) {
      if (event !== "data") throw thrown;
      socket.destroy(thrown instanceof Error ? thrown : new Error("the driver threw what is no error"));
      return true;
    }
  };
  return socket;
}
