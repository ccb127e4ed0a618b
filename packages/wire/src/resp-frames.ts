import { AppError } from "parapet/errors";
import { type FrameOptions, MAX_MESSAGE_BYTES } from "./message-bound.ts";
import { ReceivedBytes } from "./received-bytes.ts";
import { decodeResp } from "./resp-decoder.ts";
import { RespScanner } from "./resp-scanner.ts";
import type { RespValue } from "./resp-value.ts";

/** What a client sends: an array of bulk strings. */
export interface RespCommand {
  /** In capitals: `GET`. */
  readonly name: string;
  readonly args: readonly Buffer[];
  /** The whole frame. */
  readonly bytes: Buffer;
}

/** What a server sends: a reply, or a push. */
export interface RespReply {
  readonly value: RespValue;
  /** The whole frame. */
  readonly bytes: Buffer;
}

/**
 * The values of what a Redis server sends, RESP2 or RESP3, however the bytes are cut. One that is longer than `maxBytes`,
 * a streamed one, and what is no value throws `invalid`; nothing can be read after that.
 */
export class RespReplyFrames {
  readonly #received = new ReceivedBytes();
  readonly #scanner: RespScanner;

  constructor({ maxBytes = MAX_MESSAGE_BYTES }: FrameOptions = {}) {
    this.#scanner = new RespScanner(maxBytes);
  }

  /** How many bytes belong to messages that were not taken yet. */
  get waitingBytes(): number {
    return this.#received.length;
  }

  /** Takes bytes over: nobody may write to them any more. */
  receive(bytes: Buffer): void {
    this.#received.append(bytes);
  }

  /** The next value, `undefined` while it is not whole. Throws `invalid`. */
  next(): RespReply | undefined {
    const length = this.#scanner.measure(this.#received.peek());
    if (length === undefined) return undefined;
    const bytes = this.#received.take(length);
    return { value: decodeResp(bytes), bytes };
  }
}

/**
 * The commands of what a Redis client sends, however the bytes are cut. Inline commands, ones longer than `maxBytes` and
 * what is no command throw `invalid`; nothing can be read after that.
 */
export class RespCommandFrames {
  readonly #frames: RespReplyFrames;

  constructor(options: FrameOptions = {}) {
    this.#frames = new RespReplyFrames(options);
  }

  /** How many bytes belong to messages that were not taken yet. */
  get waitingBytes(): number {
    return this.#frames.waitingBytes;
  }

  /** Takes bytes over: nobody may write to them any more. */
  receive(bytes: Buffer): void {
    this.#frames.receive(bytes);
  }

  /** The next command, `undefined` while it is not whole. Throws `invalid`. */
  next(): RespCommand | undefined {
    const frame = this.#frames.next();
    return frame && toCommand(frame);
  }
}

function toCommand({ value, bytes }: RespReply): RespCommand {
  const words = value.kind === "array" ? (value.value ?? []).map(toWord) : [];
  const [name, ...args] = words;
  if (name === undefined) throw new AppError("invalid", "a command is an array of bulk strings, and not empty");
  return { name: name.toString("latin1").toUpperCase(), args, bytes };
}

function toWord(value: RespValue): Buffer {
  if (value.kind === "bulk" && value.value !== null) return value.value;
  throw new AppError("invalid", "a command is made of bulk strings");
}
