import type { Conversation, Side } from "./conversation.ts";
import { PostgresBackendFrames } from "./postgres-backend-frames.ts";
import { PostgresFrontendFrames } from "./postgres-frontend-frames.ts";
import type { PostgresBackendMessage, PostgresFrontendMessage } from "./postgres-message.ts";
import { PostgresReplies } from "./postgres-replies.ts";
import { PostgresStatements } from "./postgres-statements.ts";

/** A message between a client and PostgreSQL. */
export type PostgresSighting = PostgresRequest | PostgresReply;

export interface PostgresRequest {
  readonly from: "client";
  readonly connection: number;
  readonly message: PostgresFrontendMessage;
  /** The text that it is about: what a Query or an Execute runs, what a Bind binds. */
  readonly sql: string | undefined;
}

export interface PostgresReply {
  readonly from: "server";
  readonly connection: number;
  readonly message: PostgresBackendMessage;
  /** The text that it answers; for a ReadyForQuery the last one that was answered before it. */
  readonly sql: string | undefined;
}

const DECLINED = Buffer.from("N");

/** One connection to PostgreSQL: its messages, and the statements that they are about. */
export class PostgresConversation implements Conversation<PostgresSighting> {
  readonly #requests = new PostgresFrontendFrames();
  readonly #replies = new PostgresBackendFrames();
  readonly #statements = new PostgresStatements();
  readonly #awaited = new PostgresReplies();
  readonly #connection: number;

  constructor(connection: number) {
    this.#connection = connection;
  }

  receive(from: Side, bytes: Buffer): void {
    this.#frames(from).receive(bytes);
  }

  waitingBytes(from: Side): number {
    return this.#frames(from).waitingBytes;
  }

  next(from: Side): PostgresSighting | undefined {
    return from === "client" ? this.#nextRequest() : this.#nextReply();
  }

  /** Encryption is declined, since nobody could read on. */
  answer(seen: PostgresSighting): Buffer | undefined {
    const { name } = seen.message;
    if (name !== "SSLRequest" && name !== "GSSENCRequest") return undefined;
    this.#replies.expectEncryptionReply();
    return DECLINED;
  }

  passed(seen: PostgresSighting): void {
    if (seen.from === "server") return;
    this.#statements.passed(seen.message);
    this.#awaited.asked(seen.message, seen.sql);
  }

  #nextRequest(): PostgresRequest | undefined {
    const message = this.#requests.next();
    return message && { from: "client", connection: this.#connection, message, sql: this.#statements.sqlOf(message) };
  }

  #nextReply(): PostgresReply | undefined {
    const message = this.#replies.next();
    return message && { from: "server", connection: this.#connection, message, sql: this.#awaited.sqlOf(message) };
  }

  #frames(from: Side): PostgresFrontendFrames | PostgresBackendFrames {
    return from === "client" ? this.#requests : this.#replies;
  }
}
