import { type AmqpTable, readShortText, readTable, writeShortText, writeTable } from "./amqp-value.ts";
import { ByteReader } from "./byte-reader.ts";

/** What a message says of itself. (AMQP 0-9-1, 1.8, class basic.) */
export interface AmqpProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly headers?: AmqpTable;
  /** 2 for what is kept on disk. */
  readonly deliveryMode?: number;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  /** In milliseconds, as text. */
  readonly expiration?: string;
  readonly messageId?: string;
  /** In seconds since 1970. */
  readonly timestamp?: number;
  readonly type?: string;
  readonly userId?: string;
  readonly appId?: string;
  readonly clusterId?: string;
}

type Kind = "text" | "octet" | "time" | "table";

/** In the order of their flags, from the highest bit on. */
const LAYOUT: readonly (readonly [keyof AmqpProperties, Kind])[] = [
  ["contentType", "text"],
  ["contentEncoding", "text"],
  ["headers", "table"],
  ["deliveryMode", "octet"],
  ["priority", "octet"],
  ["correlationId", "text"],
  ["replyTo", "text"],
  ["expiration", "text"],
  ["messageId", "text"],
  ["timestamp", "time"],
  ["type", "text"],
  ["userId", "text"],
  ["appId", "text"],
  ["clusterId", "text"],
];
const HIGHEST_FLAG = 0x8000;

/** Reads properties as a content header has them. Throws `invalid`. */
export function decodeProperties(bytes: Buffer): AmqpProperties {
  const reader = new ByteReader(bytes);
  const flags = reader.uint16();
  const read = {
    text: readShortText,
    octet: readOctet,
    time: readTime,
    table: (reader: ByteReader) => readTable(reader),
  };
  const present = LAYOUT.filter((_, at) => (flags & (HIGHEST_FLAG >> at)) !== 0);
  const properties = Object.fromEntries(present.map(([name, kind]) => [name, read[kind](reader)]));
  reader.end();
  return properties;
}

/** Properties as a content header has them. Throws `invalid` for a text of more than 255 bytes. */
export function encodeProperties(properties: AmqpProperties): Buffer {
  const present = LAYOUT.filter(([name]) => properties[name] !== undefined);
  const flags = Buffer.alloc(2);
  flags.writeUInt16BE(present.reduce((all, entry) => all | (HIGHEST_FLAG >> LAYOUT.indexOf(entry)), 0));
  return Buffer.concat([flags, ...present.map(([name, kind]) => write(kind, properties[name]))]);
}

function write(kind: Kind, value: AmqpProperties[keyof AmqpProperties]): Buffer {
  if (kind === "text") return writeShortText(String(value));
  if (kind === "table") return writeTable(value as AmqpTable);
  if (kind === "octet") return Buffer.from([Number(value)]);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(Number(value)));
  return bytes;
}

function readOctet(reader: ByteReader): number {
  return reader.uint8();
}

function readTime(reader: ByteReader): number {
  return Number(reader.uint64());
}
