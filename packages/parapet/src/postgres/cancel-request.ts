import { connect, type NetConnectOpts } from "node:net";

/** Names a session to the server; whoever knows both numbers may cancel what it runs. */
export interface BackendKey {
  readonly processId: number;
  readonly secret: number;
}

const CANCEL_REQUEST_CODE = 80877102;
const CANCEL_TIMEOUT_MS = 1000;

/**
 * Asks the server to cancel what a session runs, on a bare socket of its own: no login, no pool slot. Settles within a
 * second: true once the server has passed the cancel on, so that none can arrive later; false when that is not known.
 */
export function requestCancel(server: NetConnectOpts, key: BackendKey): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(server);
    let passedOn = false;
    const timer = setTimeout(() => socket.destroy(), CANCEL_TIMEOUT_MS);
    socket.on("connect", () => socket.write(cancelRequest(key)));
    // The server answers nothing; it closes once it has sent the signal.
    socket.on("end", () => {
      passedOn = true;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(passedOn);
    });
    socket.resume();
  });
}

function cancelRequest({ processId, secret }: BackendKey): Buffer {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  message.writeInt32BE(processId, 8);
  message.writeInt32BE(secret, 12);
  return message;
}
