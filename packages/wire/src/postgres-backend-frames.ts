import { AppError } from "parapet/errors";
import type { ByteReader } from "./byte-reader.ts";
import { type FrameOptions, MAX_MESSAGE_BYTES } from "./message-bound.ts";
import { type Decode, type Frame, named, takeMessage, whole } from "./postgres-frame.ts";
import type { EncryptionReply, ErrorResponse, PostgresBackendMessage, ReadyForQuery } from "./postgres-message.ts";
import { ReceivedBytes } from "./received-bytes.ts";

/**
 * The messages of what a PostgreSQL server sends, however the bytes are cut. One that is longer than `maxBytes` (64 MiB by
 * default) and what is no message throws `invalid`; nothing can be read after that.
 */
export class PostgresBackendFrames {
  readonly #received = new ReceivedBytes();
  readonly #maxBytes: number;
  #encryptionReplies = 0;
  #isEncrypted = false;

  constructor({ maxBytes = MAX_MESSAGE_BYTES }: FrameOptions = {}) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes belong to messages that were not taken yet. */
  get waitingBytes(): number {
    return this.#received.length;
  }

  /** To be told that the client sent an SSLRequest or a GSSENCRequest: the answer is one bare byte. */
  expectEncryptionReply(): void {
    this.#encryptionReplies++;
  }

  /** Takes bytes over: nobody may write to them any more. */
  receive(bytes: Buffer): void {
    this.#received.append(bytes);
  }

  /** The next message, `undefined` while it is not whole. Throws `invalid`, also when encryption was accepted before. */
  next(): PostgresBackendMessage | undefined {
    const [letter] = this.#received.peek();
    if (letter === undefined) return undefined;
    if (this.#isEncrypted) throw new AppError("invalid", "the connection is encrypted");
    // A server that is too old or too busy to answer says so in an ErrorResponse.
    if (this.#encryptionReplies > 0 && letter !== LETTER_E) return this.#encryptionReply();
    return takeMessage(this.#received, DECODERS, this.#maxBytes);
  }

  #encryptionReply(): EncryptionReply {
    const bytes = this.#received.take(1);
    const reply = bytes.toString("latin1");
    if (!ENCRYPTION_REPLIES.includes(reply))
      throw new AppError("invalid", "encryption is neither accepted nor declined");
    this.#encryptionReplies--;
    this.#isEncrypted = reply !== "N";
    return { name: "EncryptionReply", type: "", bytes, isAccepted: this.#isEncrypted };
  }
}

const LETTER_E = 0x45;
// TLS, GSSAPI, neither.
const ENCRYPTION_REPLIES: readonly string[] = ["S", "G", "N"];

const DECODERS: Readonly<Record<string, Decode<PostgresBackendMessage>>> = {
  "1": named("ParseComplete"),
  "2": named("BindComplete"),
  "3": named("CloseComplete"),
  A: named("NotificationResponse"),
  C: (frame, body) => whole({ name: "CommandComplete", ...frame, tag: body.text() }, body),
  D: named("DataRow"),
  E: (frame, body) => report("ErrorResponse", frame, body),
  G: named("CopyInResponse"),
  H: named("CopyOutResponse"),
  I: named("EmptyQueryResponse"),
  K: (frame, body) => ({ name: "BackendKeyData", ...frame, processId: body.int32(), secretKey: body.rest() }),
  N: (frame, body) => report("NoticeResponse", frame, body),
  R: named("Authentication"),
  S: named("ParameterStatus"),
  T: named("RowDescription"),
  V: named("FunctionCallResponse"),
  W: named("CopyBothResponse"),
  Z: ready,
  c: named("CopyDone"),
  d: named("CopyData"),
  n: named("NoData"),
  s: named("PortalSuspended"),
  t: named("ParameterDescription"),
  v: named("NegotiateProtocolVersion"),
};

function report(name: ErrorResponse["name"], frame: Frame, body: ByteReader): ErrorResponse {
  const fields: Record<string, string> = {};
  for (let letter = body.letter(); letter !== "\0"; letter = body.letter()) fields[letter] = body.text();
  body.end();
  return { name, ...frame, fields };
}

function ready(frame: Frame, body: ByteReader): ReadyForQuery {
  const status = whole(body.letter(), body);
  if (status !== "I" && status !== "T" && status !== "E") {
    throw new AppError("invalid", "the transaction's status means nothing");
  }
  return { name: "ReadyForQuery", ...frame, status };
}
