import { AmqpFrames } from "./amqp-frames.ts";
import type { AmqpMessage } from "./amqp-message.ts";
import type { Conversation, Side } from "./conversation.ts";

/** A frame between a client and a broker. */
export interface AmqpSighting {
  readonly from: Side;
  readonly connection: number;
  readonly message: AmqpMessage;
}

/** One connection to an AMQP 0-9-1 broker: its frames. */
export class AmqpConversation implements Conversation<AmqpSighting> {
  readonly #frames = { client: new AmqpFrames("client"), server: new AmqpFrames("server") };
  readonly #connection: number;

  constructor(connection: number) {
    this.#connection = connection;
  }

  receive(from: Side, bytes: Buffer): void {
    this.#frames[from].receive(bytes);
  }

  waitingBytes(from: Side): number {
    return this.#frames[from].waitingBytes;
  }

  next(from: Side): AmqpSighting | undefined {
    const message = this.#frames[from].next();
    return message && { from, connection: this.#connection, message };
  }

  answer(): undefined {
    return undefined;
  }

  passed(): void {}
}
