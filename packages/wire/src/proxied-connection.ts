import type { Socket } from "node:net";
import type { AppError } from "parapet/errors";
import type { Conversation, Side, Sighting } from "./conversation.ts";
import { MessageLink } from "./message-link.ts";
import { resetSocket } from "./reset-socket.ts";
import type { Traps } from "./traps.ts";

export interface ConnectionOptions<Seen extends Sighting> {
  readonly conversation: Conversation<Seen>;
  readonly traps: Traps<Seen>;
  readonly onMessage: (seen: Seen) => void;
  readonly onUnreadable: (error: AppError) => void;
  readonly onClosed: () => void;
}

/** A client's socket and the one to the target: whichever closes takes the other with it. */
export class ProxiedConnection<Seen extends Sighting> {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #options: ConnectionOptions<Seen>;
  readonly #requests: MessageLink<Seen>;
  readonly #replies: MessageLink<Seen>;

  constructor(client: Socket, target: Socket, options: ConnectionOptions<Seen>) {
    this.#client = client;
    this.#target = target;
    this.#options = options;
    this.#requests = this.#link("client", client, target);
    this.#replies = this.#link("server", target, client);
    for (const socket of [client, target]) {
      // A close follows, and that is what we act on.
      socket.on("error", () => {});
      socket.on("close", () => this.#settle());
    }
  }

  reset(): void {
    resetSocket(this.#client);
    resetSocket(this.#target);
  }

  #link(side: Side, from: Socket, to: Socket): MessageLink<Seen> {
    const { conversation, traps, onMessage, onUnreadable } = this.#options;
    return new MessageLink(from, to, {
      side,
      conversation,
      traps,
      onMessage,
      onAnswer: (bytes) => this.#replies.receive(bytes),
      onCut: () => this.reset(),
      onUnreadable: (error) => {
        this.reset();
        onUnreadable(error);
      },
    });
  }

  #settle(): void {
    const open = [this.#client, this.#target].filter((socket) => !socket.closed);
    for (const socket of open) breakOff(socket);
    if (open.length > 0) return;
    this.#requests.close();
    this.#replies.close();
    this.#options.onClosed();
  }
}

function breakOff(socket: Socket): void {
  // One that was told to end still has bytes on their way.
  if (socket.writableEnded) socket.destroySoon();
  else resetSocket(socket);
}
