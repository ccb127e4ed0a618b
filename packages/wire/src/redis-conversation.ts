import { AppError } from "parapet/errors";
import type { Conversation, Side } from "./conversation.ts";
import { type RespCommand, RespCommandFrames, type RespReply, RespReplyFrames } from "./resp-frames.ts";
import { type RespValue, respText } from "./resp-value.ts";

/** A message between a client and Redis. */
export type RedisSighting = RedisRequest | RedisReply;

export interface RedisRequest {
  readonly from: "client";
  readonly connection: number;
  readonly message: RespCommand;
  /** The message itself. */
  readonly command: RespCommand;
}

export interface RedisReply {
  readonly from: "server";
  readonly connection: number;
  readonly message: RespReply;
  /** The command that it answers; none for what nobody asked for, as a push. */
  readonly command: RespCommand | undefined;
}

// What says that a subscription begins or ends, in the place of a reply.
const CONFIRMATION = /^[ps]?(un)?subscribe$/;
// What comes to a subscriber.
const PUBLICATION = /^[ps]?message$/;

/** One connection to Redis: its messages, and the commands that are answered. */
export class RedisConversation implements Conversation<RedisSighting> {
  readonly #commands = new RespCommandFrames();
  readonly #replies = new RespReplyFrames();
  readonly #awaited: RespCommand[] = [];
  readonly #connection: number;
  #isResp3 = false;
  #isSubscriber = false;

  constructor(connection: number) {
    this.#connection = connection;
  }

  receive(from: Side, bytes: Buffer): void {
    this.#frames(from).receive(bytes);
  }

  waitingBytes(from: Side): number {
    return this.#frames(from).waitingBytes;
  }

  next(from: Side): RedisSighting | undefined {
    return from === "client" ? this.#nextRequest() : this.#nextReply();
  }

  answer(): undefined {
    return undefined;
  }

  passed(seen: RedisSighting): void {
    if (seen.from === "server") return;
    this.#awaited.push(seen.command);
    const { name, args } = seen.command;
    if (name === "HELLO") this.#isResp3 = args[0]?.toString() === "3";
    if (CONFIRMATION.test(name.toLowerCase())) this.#isSubscriber = true;
  }

  #nextRequest(): RedisRequest | undefined {
    const message = this.#commands.next();
    if (message === undefined) return undefined;
    if (isSilencing(message)) throw new AppError("invalid", "replies that are switched off can't be told apart");
    return { from: "client", connection: this.#connection, message, command: message };
  }

  #nextReply(): RedisReply | undefined {
    const message = this.#replies.next();
    if (message === undefined) return undefined;
    return { from: "server", connection: this.#connection, message, command: this.#answered(message.value) };
  }

  #answered(value: RespValue): RespCommand | undefined {
    const kind = this.#pushKind(value);
    if (kind === undefined) return this.#awaited.shift();
    const isAwaited = CONFIRMATION.test(kind) && this.#awaited[0]?.name === kind.toUpperCase();
    return isAwaited ? this.#awaited.shift() : undefined;
  }

  /** What a push is about; `undefined` for a reply. */
  #pushKind(value: RespValue): string | undefined {
    const { kind, value: content } = value.kind === "attributed" ? value.value : value;
    if (kind === "push") return respText(content[0]) ?? "";
    // To a subscriber RESP2 sends arrays instead.
    if (kind !== "array" || this.#isResp3 || !this.#isSubscriber) return undefined;
    const name = respText(content?.[0]) ?? "";
    return CONFIRMATION.test(name) || PUBLICATION.test(name) ? name : undefined;
  }

  #frames(from: Side): RespCommandFrames | RespReplyFrames {
    return from === "client" ? this.#commands : this.#replies;
  }
}

function isSilencing({ name, args: [subcommand, mode] }: RespCommand): boolean {
  const isReply = name === "CLIENT" && subcommand?.toString().toUpperCase() === "REPLY";
  return isReply && mode?.toString().toUpperCase() !== "ON";
}
