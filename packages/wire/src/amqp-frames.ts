import { AppError } from "parapet/errors";
import { FRAME, FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, PROTOCOL_HEADER } from "./amqp-encoding.ts";
import type { AmqpMessage } from "./amqp-message.ts";
import { type AmqpMethodName, type ArgumentType, METHODS } from "./amqp-methods.ts";
import { readLongText, readShortText, readTable } from "./amqp-value.ts";
import { ByteReader } from "./byte-reader.ts";
import type { Side } from "./conversation.ts";
import { checkMessageLength, type FrameOptions, MAX_MESSAGE_BYTES } from "./message-bound.ts";
import { ReceivedBytes } from "./received-bytes.ts";

const BY_IDS = new Map(
  (Object.keys(METHODS) as AmqpMethodName[]).map((name) => [METHODS[name].ids.join("."), name] as const),
);

const READERS: { readonly [T in Exclude<ArgumentType, "bit">]: (reader: ByteReader) => unknown } = {
  octet: (reader) => reader.uint8(),
  short: (reader) => reader.uint16(),
  long: (reader) => reader.uint32(),
  longlong: (reader) => Number(reader.uint64()),
  shortstr: readShortText,
  longstr: readLongText,
  table: (reader) => readTable(reader),
};

/** Reads what one side of an AMQP 0-9-1 connection says, from its start on. */
export class AmqpFrames {
  readonly #received = new ReceivedBytes();
  readonly #maxBytes: number;
  #expectsHeader: boolean;

  constructor(from: Side, { maxBytes = MAX_MESSAGE_BYTES }: FrameOptions = {}) {
    this.#expectsHeader = from === "client";
    this.#maxBytes = maxBytes;
  }

  /** How many bytes wait to be asked for. */
  get waitingBytes(): number {
    return this.#received.length;
  }

  receive(bytes: Buffer): void {
    this.#received.append(bytes);
  }

  /** The next frame, `undefined` while it is not whole. Throws `invalid` for what is none. */
  next(): AmqpMessage | undefined {
    return this.#expectsHeader ? this.#header() : this.#frame();
  }

  #header(): AmqpMessage | undefined {
    if (this.#received.length < PROTOCOL_HEADER.length) return undefined;
    if (!this.#received.peek().subarray(0, PROTOCOL_HEADER.length).equals(PROTOCOL_HEADER))
      throw new AppError("invalid", "a connection does not begin as AMQP 0-9-1 does");
    this.#expectsHeader = false;
    return { name: "protocol-header", channel: 0, bytes: this.#received.take(PROTOCOL_HEADER.length) };
  }

  #frame(): AmqpMessage | undefined {
    if (this.#received.length < FRAME_HEADER_BYTES) return undefined;
    const length = this.#received.peek().readUInt32BE(3) + FRAME_OVERHEAD_BYTES;
    checkMessageLength(length, this.#maxBytes);
    if (this.#received.length < length) return undefined;
    return decode(this.#received.take(length));
  }
}

function decode(bytes: Buffer): AmqpMessage {
  if (bytes.at(-1) !== FRAME.end) throw new AppError("invalid", "a frame does not end as one");
  const [type, channel] = [bytes.readUInt8(0), bytes.readUInt16BE(1)];
  const payload = bytes.subarray(FRAME_HEADER_BYTES, -1);
  switch (type) {
    case FRAME.method:
      return { ...decodeMethod(payload), channel, bytes } as AmqpMessage;
    case FRAME.header:
      return { ...decodeHeader(payload), channel, bytes };
    case FRAME.body:
      return { name: "body", payload, channel, bytes };
    case FRAME.heartbeat:
      return { name: "heartbeat", channel, bytes };
    default:
      throw new AppError("invalid", "a frame has a type that means nothing", { fields: { type } });
  }
}

function decodeMethod(payload: Buffer) {
  const reader = new ByteReader(payload);
  const ids = [reader.uint16(), reader.uint16()];
  const name = BY_IDS.get(ids.join("."));
  if (name === undefined) throw new AppError("invalid", "a frame has a method that means nothing", { fields: { ids } });
  const args: [string, unknown][] = [];
  let octet = 0;
  let bit = 0;
  for (const [argument, type] of Object.entries(METHODS[name].arguments) as [string, ArgumentType][]) {
    if (type !== "bit") {
      bit = 0;
      args.push([argument, READERS[type](reader)]);
      continue;
    }
    if (bit === 0) octet = reader.uint8();
    args.push([argument, ((octet >> bit) & 1) === 1]);
    bit = (bit + 1) % 8;
  }
  reader.end();
  return { name, args: Object.fromEntries(args) };
}

function decodeHeader(payload: Buffer) {
  const reader = new ByteReader(payload);
  const classId = reader.uint16();
  // The weight, which nobody uses.
  reader.uint16();
  const bodySize = Number(reader.uint64());
  return { name: "content-header", classId, bodySize, properties: reader.rest() } as const;
}
