import fc from "fast-check";

/** A message as far as its bytes go. */
interface Framed {
  readonly bytes: Buffer;
}

/** What is read of bytes, piece by piece. */
export interface Frames<Message> {
  receive(bytes: Buffer): void;
  next(): Message | undefined;
}

/** Where to cut bytes: each number is how long the next piece is. */
export const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 });

/** Bytes in pieces, each in memory of its own, as they come from a socket. */
export function chop(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let rest = bytes;
  for (const length of lengths) {
    pieces.push(Buffer.from(rest.subarray(0, length)));
    rest = rest.subarray(length);
  }
  return [...pieces, Buffer.from(rest)];
}

/** All messages that are read of these pieces. */
export function readAll<Message>(frames: Frames<Message>, pieces: readonly Buffer[]): Message[] {
  const read: Message[] = [];
  for (const piece of pieces) {
    frames.receive(piece);
    for (let message = frames.next(); message !== undefined; message = frames.next()) read.push(message);
  }
  return read;
}

/** The bytes of these messages, one after the other. */
export function bytesOf(messages: readonly Framed[]): Buffer {
  return Buffer.concat(messages.map(({ bytes }) => bytes));
}
