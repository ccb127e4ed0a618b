import type { Socket } from "node:net";
import {
  type AmqpArguments,
  AmqpFrames,
  type AmqpMessage,
  type AmqpMethod,
  type AmqpMethodName,
  encodeContent,
  encodeMethod,
  HEARTBEAT,
  PROTOCOL_HEADER,
} from "@parapet/wire";
import { AmqpError, channelError, commandInvalid, frameError, notAllowed } from "./amqp-error.ts";
import { BrokerChannel } from "./channel.ts";
import type { StoredMessage } from "./stored-message.ts";
import type { VirtualHost } from "./virtual-host.ts";

/** What is offered; the client may ask for less. */
const CHANNEL_MAX = 2047;
const FRAME_MAX = 131_072;
const HEARTBEAT_SECONDS = 60;
/** The least that a frame may be limited to. (AMQP 0-9-1, 4.2.3.) */
const FRAME_MIN = 4096;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** For the client's answer to a close. */
const CLOSE_TIMEOUT_MS = 2000;
/** From here on nothing more is delivered until the client has read. */
const CONGESTED_BYTES = 4 * 1024 * 1024;

const SERVER_PROPERTIES = {
  product: "Parapet embedded broker",
  version: "3.10.0",
  platform: "Node.js",
  information: "for development and tests: what it holds is gone with it",
  capabilities: {
    publisher_confirms: true,
    "basic.nack": true,
    consumer_cancel_notify: true,
    per_consumer_qos: true,
    authentication_failure_close: true,
  },
};

type Step = "header" | "start-ok" | "tune-ok" | "open" | "open-ok" | "closing" | "closed";

/** One client's connection, from its first byte to its last. */
export class BrokerConnection {
  readonly #socket: Socket;
  readonly #host: VirtualHost;
  readonly #frames = new AmqpFrames("client", { maxBytes: FRAME_MAX });
  /** Those that are closing are there without anything. */
  readonly #channels = new Map<number, BrokerChannel | "closing">();
  #step: Step = "header";
  #frameMax = FRAME_MIN;
  #heardAt = performance.now();
  #deadline: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(socket: Socket, host: VirtualHost) {
    this.#socket = socket;
    this.#host = host;
    this.#within(HANDSHAKE_TIMEOUT_MS);
    // A close follows.
    socket.on("error", () => {});
    socket.on("data", (bytes) => this.#receive(bytes));
    socket.on("end", () => socket.destroy());
    socket.on("drain", () => {
      for (const channel of this.#channels.values()) if (channel !== "closing") channel.wake();
    });
    socket.once("close", () => this.#closed());
  }

  /** Ends it as a server does that is being stopped. */
  shutDown(): void {
    if (this.#step === "open-ok")
      this.#refuse(new AmqpError("connection", 320, "CONNECTION_FORCED - the broker is being stopped"));
    else this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#heardAt = performance.now();
    try {
      this.#frames.receive(bytes);
      for (let message = this.#frames.next(); message !== undefined; message = this.#frames.next()) this.#take(message);
    } catch (thrown) {
      if (thrown instanceof AmqpError) this.#refuse(thrown);
      // Else it is no frame at all; a client that speaks another version is told ours. (AMQP 0-9-1, 4.2.2.)
      else if (this.#step === "header") this.#socket.end(PROTOCOL_HEADER);
      else this.#refuse(frameError("it can't be read"));
    }
  }

  #take(message: AmqpMessage): void {
    if (this.#step === "closed" || message.name === "heartbeat") return;
    if (this.#step === "closing") {
      if (message.name === "connection.close-ok") this.#socket.end();
      return;
    }
    if (message.channel > 0) this.#takeForChannel(message);
    else if (message.name === "protocol-header") this.#start();
    else if ("args" in message) this.#takeOnConnection(message);
    else throw commandInvalid("a message on channel 0");
  }

  #start(): void {
    this.#step = "start-ok";
    this.#send(0, "connection.start", {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: SERVER_PROPERTIES,
      mechanisms: "PLAIN",
      locales: "en_US",
    });
  }

  #takeOnConnection(method: AmqpMethod): void {
    if (method.name === "connection.close") {
      this.#step = "closed";
      this.#send(0, "connection.close-ok", {});
      this.#socket.end();
    } else if (this.#step === "start-ok" && method.name === "connection.start-ok") this.#logIn(method.args);
    else if (this.#step === "tune-ok" && method.name === "connection.tune-ok") this.#tuned(method.args);
    else if (this.#step === "open" && method.name === "connection.open") this.#open(method.args);
    else throw commandInvalid(`unexpected method '${method.name}'`);
  }

  #logIn({ mechanism, response }: AmqpArguments<"connection.start-ok">): void {
    const [, user, password] = response.split("\0");
    if (mechanism !== "PLAIN" || user !== "guest" || password !== "guest")
      throw new AmqpError(
        "connection",
        403,
        "ACCESS_REFUSED - the embedded broker lets in guest, with guest for a password",
      );
    this.#step = "tune-ok";
    this.#send(0, "connection.tune", {
      channelMax: CHANNEL_MAX,
      frameMax: FRAME_MAX,
      heartbeat: HEARTBEAT_SECONDS,
    });
  }

  #tuned({ frameMax, channelMax, heartbeat }: AmqpArguments<"connection.tune-ok">): void {
    if (channelMax > CHANNEL_MAX || frameMax > FRAME_MAX || (frameMax !== 0 && frameMax < FRAME_MIN))
      throw notAllowed("negotiation failed: more was asked for than was offered");
    this.#frameMax = frameMax === 0 ? FRAME_MAX : frameMax;
    this.#step = "open";
    if (heartbeat > 0) this.#beat(heartbeat * 1000);
  }

  /** Says in time that we are here, and lets go of a client that says nothing for two intervals. (AMQP 0-9-1, 4.2.7.) */
  #beat(everyMs: number): void {
    this.#heartbeat = setInterval(() => {
      if (performance.now() - this.#heardAt > 2 * everyMs) this.destroy();
      else this.#socket.write(HEARTBEAT);
    }, everyMs / 2);
  }

  #open({ virtualHost }: AmqpArguments<"connection.open">): void {
    if (virtualHost !== "/") throw notAllowed(`vhost ${virtualHost} not found`);
    this.#step = "open-ok";
    clearTimeout(this.#deadline);
    this.#send(0, "connection.open-ok", { knownHosts: "" });
  }

  #takeForChannel(message: AmqpMessage): void {
    if (this.#step !== "open-ok") throw commandInvalid("a channel before the connection is open");
    const channel = this.#channels.get(message.channel);
    if (channel === "closing") this.#takeWhileClosing(message);
    else if (message.name === "channel.open") this.#openChannel(message.channel, channel);
    else if (channel === undefined) throw channelError(`expected 'channel.open' on channel ${message.channel}`);
    else this.#guarded(message.channel, channel, message);
  }

  /** What was on its way is of no interest; a client that closes too has its answer. */
  #takeWhileClosing({ name, channel }: AmqpMessage): void {
    if (name === "channel.close-ok") this.#channels.delete(channel);
    if (name === "channel.close") this.#send(channel, "channel.close-ok", {});
  }

  #openChannel(number: number, existing: BrokerChannel | undefined): void {
    if (existing !== undefined) throw channelError("second 'channel.open' seen");
    if (number > CHANNEL_MAX) throw notAllowed(`channel number ${number} is beyond ${CHANNEL_MAX}`);
    const isCongested = () => this.#socket.writableLength > CONGESTED_BYTES;
    const outlet = {
      connection: this,
      get isCongested() {
        return isCongested();
      },
      send: <Name extends AmqpMethodName>(name: Name, args: AmqpArguments<Name>) => this.#send(number, name, args),
      sendContent: <Name extends AmqpMethodName>(name: Name, args: AmqpArguments<Name>, message: StoredMessage) =>
        this.#sendContent(number, encodeMethod(number, name, args), message),
    };
    this.#channels.set(number, new BrokerChannel(this.#host, outlet));
    this.#send(number, "channel.open-ok", { channelId: "" });
  }

  #guarded(number: number, channel: BrokerChannel, message: AmqpMessage): void {
    try {
      if (message.name === "channel.close") {
        this.#channels.delete(number);
        channel.close();
        this.#send(number, "channel.close-ok", {});
      } else if (message.name === "content-header") channel.header(message);
      else if (message.name === "body") channel.body(message.payload);
      else if ("args" in message) channel.handle(message);
    } catch (thrown) {
      if (!(thrown instanceof AmqpError) || thrown.scope === "connection") throw thrown;
      this.#channels.set(number, "closing");
      channel.close();
      this.#send(number, "channel.close", closeArgs(thrown));
    }
  }

  #refuse(error: AmqpError): void {
    if (this.#step === "closing" || this.#step === "closed") {
      this.destroy();
      return;
    }
    this.#step = "closing";
    this.#closeChannels();
    this.#send(0, "connection.close", closeArgs(error));
    this.#within(CLOSE_TIMEOUT_MS);
  }

  #send<Name extends AmqpMethodName>(channel: number, name: Name, args: AmqpArguments<Name>): void {
    if (this.#socket.writable) this.#socket.write(encodeMethod(channel, name, args));
  }

  #sendContent(channel: number, method: Buffer, { properties, body }: StoredMessage): void {
    if (!this.#socket.writable) return;
    this.#socket.write(Buffer.concat([method, encodeContent(channel, properties, body, this.#frameMax)]));
  }

  #within(ms: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.destroy(), ms);
  }

  #closeChannels(): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of channels) if (channel !== "closing") channel.close();
  }

  #closed(): void {
    this.#step = "closed";
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeat);
    this.#closeChannels();
    this.#host.deleteQueuesOf(this);
  }
}

function closeArgs({ code, message }: AmqpError): AmqpArguments<"connection.close"> {
  return { replyCode: code, replyText: message, classId: 0, methodId: 0 };
}
