import type { AmqpArguments } from "./amqp-message.ts";
import { type AmqpMethodName, type ArgumentType, METHODS, type MethodLayout } from "./amqp-methods.ts";
import { type AmqpTable, writeLongText, writeShortText, writeTable } from "./amqp-value.ts";

/** The numbers of frame types, and what ends each. (AMQP 0-9-1, 4.2.3.) */
export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8, end: 0xce } as const;

/** A frame's type, channel and length. */
export const FRAME_HEADER_BYTES = 7;
/** Those, and its end. */
export const FRAME_OVERHEAD_BYTES = FRAME_HEADER_BYTES + 1;

/** What a client begins with. */
export const PROTOCOL_HEADER: Buffer = Buffer.from([...Buffer.from("AMQP"), 0, 0, 9, 1]);

/** A sign of life. */
export const HEARTBEAT: Buffer = frame(FRAME.heartbeat, 0, Buffer.alloc(0));

const WRITERS: { readonly [T in Exclude<ArgumentType, "bit">]: (value: never) => Buffer } = {
  octet: (value: number) => Buffer.from([value]),
  short: (value: number) => unsigned(2, value),
  long: (value: number) => unsigned(4, value),
  longlong: (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes;
  },
  shortstr: writeShortText,
  longstr: writeLongText,
  table: (value: AmqpTable) => writeTable(value),
};

/** A method as a frame. Throws `invalid` for a short text of more than 255 bytes. */
export function encodeMethod<Name extends AmqpMethodName>(
  channel: number,
  name: Name,
  args: AmqpArguments<Name>,
): Buffer {
  const { ids, arguments: types }: MethodLayout = METHODS[name];
  const parts = [unsigned(2, ids[0]), unsigned(2, ids[1])];
  let bits: boolean[] = [];
  const flush = () => {
    if (bits.length > 0) parts.push(Buffer.from([bits.reduce((octet, bit, at) => octet | (Number(bit) << at), 0)]));
    bits = [];
  };
  for (const [argument, type] of Object.entries(types)) {
    const value = args[argument as keyof typeof args] as never;
    if (type === "bit") bits.push(value);
    else {
      flush();
      parts.push(WRITERS[type](value));
    }
  }
  flush();
  return frame(FRAME.method, channel, Buffer.concat(parts));
}

/** A message behind the method that it belongs to: its header, and its body in frames of at most `frameMax` bytes. */
export function encodeContent(channel: number, properties: Buffer, body: Buffer, frameMax: number): Buffer {
  const BASIC_CLASS = 60;
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length));
  const header = Buffer.concat([unsigned(2, BASIC_CLASS), unsigned(2, 0), size, properties]);
  const frames = [frame(FRAME.header, channel, header)];
  const step = frameMax - FRAME_OVERHEAD_BYTES;
  for (let at = 0; at < body.length; at += step) frames.push(frame(FRAME.body, channel, body.subarray(at, at + step)));
  return Buffer.concat(frames);
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(payload.length + FRAME_OVERHEAD_BYTES);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  payload.copy(bytes, FRAME_HEADER_BYTES);
  bytes.writeUInt8(FRAME.end, bytes.length - 1);
  return bytes;
}

function unsigned(length: number, value: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}
