import { AppError } from "parapet/errors";
import { ByteReader } from "./byte-reader.ts";
import { type FrameOptions, MAX_MESSAGE_BYTES } from "./message-bound.ts";
import { type Decode, type Frame, named, takeFrame, takeMessage, whole } from "./postgres-frame.ts";
import type {
  BindMessage,
  CancelRequest,
  DescribeMessage,
  PostgresFrontendMessage,
  StartupMessage,
} from "./postgres-message.ts";
import { ReceivedBytes } from "./received-bytes.ts";

// PostgreSQL's own MAX_STARTUP_PACKET_LENGTH.
const MAX_STARTUP_BYTES = 10_000;

const CANCEL_REQUEST = 80_877_102;
const SSL_REQUEST = 80_877_103;
const GSSENC_REQUEST = 80_877_104;
const PROTOCOL_MAJOR = 3;

/**
 * The messages of what a PostgreSQL client sends, from the first byte of its connection on, however the bytes are cut.
 * One that is longer than `maxBytes` (64 MiB by default) and what is no message throws `invalid`; nothing can be read
 * after that.
 */
export class PostgresFrontendFrames {
  readonly #received = new ReceivedBytes();
  readonly #maxBytes: number;
  #phase: "startup" | "session" | "over" = "startup";

  constructor({ maxBytes = MAX_MESSAGE_BYTES }: FrameOptions = {}) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes belong to messages that were not taken yet. */
  get waitingBytes(): number {
    return this.#received.length;
  }

  /** Takes bytes over: nobody may write to them any more. */
  receive(bytes: Buffer): void {
    this.#received.append(bytes);
  }

  /** The next message, `undefined` while it is not whole. Throws `invalid`. */
  next(): PostgresFrontendMessage | undefined {
    if (this.#phase === "session") return takeMessage(this.#received, DECODERS, this.#maxBytes);
    if (this.#phase === "startup") return this.#nextOfStartup();
    if (this.#received.length > 0) throw new AppError("invalid", "a cancel request is all that its connection is for");
    return undefined;
  }

  #nextOfStartup(): PostgresFrontendMessage | undefined {
    const bytes = takeFrame(this.#received, 0, Math.min(MAX_STARTUP_BYTES, this.#maxBytes));
    const message = bytes && decodeStartup({ type: "", bytes });
    if (message?.name === "StartupMessage") this.#phase = "session";
    if (message?.name === "CancelRequest") this.#phase = "over";
    return message;
  }
}

function decodeStartup(frame: Frame): PostgresFrontendMessage {
  const body = new ByteReader(frame.bytes, 4);
  const code = body.int32();
  if (code >> 16 === PROTOCOL_MAJOR) return startupMessage(frame, body);
  if (code === CANCEL_REQUEST) return cancelRequest(frame, body);
  body.end();
  if (code === SSL_REQUEST) return { name: "SSLRequest", ...frame };
  if (code === GSSENC_REQUEST) return { name: "GSSENCRequest", ...frame };
  throw new AppError("invalid", "the protocol's version is not 3", { fields: { code } });
}

function startupMessage(frame: Frame, body: ByteReader): StartupMessage {
  const parameters: [string, string][] = [];
  for (let name = body.text(); name !== ""; name = body.text()) parameters.push([name, body.text()]);
  body.end();
  return { name: "StartupMessage", ...frame, parameters: Object.fromEntries(parameters) };
}

function cancelRequest(frame: Frame, body: ByteReader): CancelRequest {
  return { name: "CancelRequest", ...frame, processId: body.int32(), secretKey: body.rest() };
}

const DECODERS: Readonly<Record<string, Decode<PostgresFrontendMessage>>> = {
  B: bind,
  C: (frame, body) => describe("Close", frame, body),
  D: (frame, body) => describe("Describe", frame, body),
  E: (frame, body) => whole({ name: "Execute", ...frame, portal: body.text(), maxRows: body.int32() }, body),
  F: named("FunctionCall"),
  H: named("Flush"),
  P: (frame, body) => ({ name: "Parse", ...frame, statement: body.text(), sql: body.text() }),
  Q: (frame, body) => whole({ name: "Query", ...frame, sql: body.text() }, body),
  S: named("Sync"),
  X: named("Terminate"),
  c: named("CopyDone"),
  d: named("CopyData"),
  f: named("CopyFail"),
  p: named("PasswordMessage"),
};

function bind(frame: Frame, body: ByteReader): BindMessage {
  const portal = body.text();
  const statement = body.text();
  skipFormats(body);
  const values = Array.from({ length: body.uint16() }, () => parameterValue(body));
  skipFormats(body);
  return whole({ name: "Bind", ...frame, portal, statement, values }, body);
}

function skipFormats(body: ByteReader): void {
  body.bytes(2 * body.uint16());
}

function parameterValue(body: ByteReader): Buffer | null {
  const length = body.int32();
  return length === -1 ? null : body.bytes(length);
}

function describe(name: DescribeMessage["name"], frame: Frame, body: ByteReader): DescribeMessage {
  const letter = body.letter();
  if (letter !== "S" && letter !== "P") throw new AppError("invalid", "neither a statement nor a portal is meant");
  return whole({ name, ...frame, target: letter === "S" ? "statement" : "portal", of: body.text() }, body);
}
