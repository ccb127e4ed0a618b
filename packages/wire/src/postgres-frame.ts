import { AppError } from "parapet/errors";
import { ByteReader } from "./byte-reader.ts";
import { checkMessageLength } from "./message-bound.ts";
import type { PostgresFrame } from "./postgres-message.ts";
import type { ReceivedBytes } from "./received-bytes.ts";

const LENGTH_BYTES = 4;

/** Makes a message of a frame, of which `body` reads what follows its length. Throws `invalid`. */
export type Decode<Message> = (frame: Frame, body: ByteReader) => Message;

/** A message's letter and its bytes, not decoded yet. */
export type Frame = Pick<PostgresFrame<string>, "type" | "bytes">;

/** For messages of which the name is enough. */
export function named<Name extends string>(name: Name): Decode<PostgresFrame<Name>> {
  return (frame) => ({ name, ...frame });
}

/** The message, of which all bytes were read. Throws `invalid` when some were not. */
export function whole<Message>(message: Message, body: ByteReader): Message {
  body.end();
  return message;
}

/** The next message that begins with a letter, `undefined` while it is not whole. Throws `invalid`. */
export function takeMessage<Message>(
  received: ReceivedBytes,
  decoders: Readonly<Record<string, Decode<Message>>>,
  maxBytes: number,
): Message | undefined {
  const [letter] = received.peek();
  if (letter === undefined) return undefined;
  const type = String.fromCharCode(letter);
  const decode = decoders[type];
  if (decode === undefined) throw new AppError("invalid", "a message begins with a letter that means nothing");
  const bytes = takeFrame(received, 1, maxBytes);
  return bytes && decode({ type, bytes }, new ByteReader(bytes, 1 + LENGTH_BYTES));
}

/** The next frame of which the length follows after `offset` bytes, `undefined` while it is not whole. Throws `invalid`. */
export function takeFrame(received: ReceivedBytes, offset: number, maxBytes: number): Buffer | undefined {
  if (received.length < offset + LENGTH_BYTES) return undefined;
  const length = received.peek().readInt32BE(offset);
  if (length < LENGTH_BYTES) throw new AppError("invalid", "a message is shorter than its own length");
  checkMessageLength(offset + length, maxBytes);
  return received.length < offset + length ? undefined : received.take(offset + length);
}
