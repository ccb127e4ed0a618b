import type { Socket } from "node:net";
import { type ChannelModel, connect } from "amqplib";
import { AppError } from "../../errors/index.ts";
import type { AmqpChannel, AmqpConfirmChannel } from "./amqp-channel.ts";

/** For TCP and TLS and each step of the login. */
const CONNECT_TIMEOUT_MS = 2000;
/** A peer that is silent for two of these is gone. */
const HEARTBEAT_SECONDS = 10;

export interface ConnectionOptions {
  readonly url: string;
  /** How it names itself to the broker. */
  readonly name: string;
  /** Called whenever the broker stops taking messages from it, and when it takes them again. */
  readonly onBlocked: (isBlocked: boolean) => void;
}

/** One connection to a RabbitMQ, from its login to its end. */
export class RabbitConnection {
  /** Settles when it has ended, with why. */
  readonly ended: Promise<AppError>;
  readonly #model: ChannelModel;
  #isBlocked = false;
  #hasEnded = false;

  private constructor(model: ChannelModel, { onBlocked }: ConnectionOptions) {
    this.#model = model;
    this.ended = new Promise((resolve) => {
      let cause: unknown;
      // `close` follows.
      model.on("error", (error) => {
        cause = error;
      });
      model.once("close", (error) => {
        this.#hasEnded = true;
        resolve(lost("the connection to the broker was lost", cause ?? error));
      });
    });
    const block = (isBlocked: boolean) => {
      this.#isBlocked = isBlocked;
      onBlocked(isBlocked);
    };
    model.on("blocked", () => block(true));
    model.on("unblocked", () => block(false));
  }

  /** Connects. Throws `unavailable`. */
  static async open(options: ConnectionOptions): Promise<RabbitConnection> {
    try {
      const model = await connect(withHeartbeat(options.url), {
        timeout: CONNECT_TIMEOUT_MS,
        noDelay: true,
        clientProperties: { connection_name: options.name },
      });
      return new RabbitConnection(model, options);
    } catch (cause) {
      throw lost("the broker can't be reached", cause);
    }
  }

  /** The broker takes nothing from it now, for want of memory or disk. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Itself: where one connection is all there is. */
  async connected(): Promise<this> {
    return this;
  }

  /** A channel. Throws `unavailable`. */
  channel(): Promise<AmqpChannel> {
    return opened(() => this.#model.createChannel());
  }

  /** A channel on which each publish is confirmed. Throws `unavailable`. */
  confirmChannel(): Promise<AmqpConfirmChannel> {
    return opened(() => this.#model.createConfirmChannel());
  }

  /** Says goodbye; `destroy` it when that takes too long. */
  async close(): Promise<void> {
    if (!this.#hasEnded) await this.#model.close().catch(() => {});
  }

  /** Cuts it. */
  destroy(): void {
    // The driver hides its socket from its types, and has no other way to let go of a peer that does not answer. Without an error it
    // would not notice, and its heartbeat would go on.
    const { stream } = this.#model.connection as unknown as { readonly stream: Socket };
    stream.destroy(new Error("the connection was given up"));
  }
}

async function opened<C extends AmqpChannel>(open: () => Promise<C>): Promise<C> {
  try {
    const channel = await open();
    // `close` follows, and an error that nobody listens to ends the process.
    channel.on("error", () => {});
    return channel;
  } catch (cause) {
    throw lost("the broker opened no channel", cause);
  }
}

export function lost(message: string, cause: unknown): AppError {
  return new AppError("unavailable", message, { cause });
}

/** One in the URL counts, since somebody wrote it there. */
function withHeartbeat(text: string): string {
  const url = new URL(text);
  if (!url.searchParams.has("heartbeat")) url.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  return url.href;
}
