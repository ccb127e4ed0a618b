import { AppError } from "parapet/errors";

/** Reads the fields of one frame, first to last. Throws `invalid` when the frame ends before a field does. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** One byte as a letter. */
  letter(): string {
    return String.fromCharCode(this.#bytes.readUInt8(this.#advance(1)));
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8));
  }

  /** Text up to the next zero byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new AppError("invalid", "a text in a message has no end");
    return this.#bytes.toString("utf8", this.#advance(end + 1 - this.#at), end);
  }

  bytes(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A reader of the next bytes alone. */
  part(length: number): ByteReader {
    return new ByteReader(this.bytes(length));
  }

  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at);
  }

  /** Says that nothing may follow. */
  end(): void {
    if (!this.isAtEnd) throw new AppError("invalid", "a message is longer than its fields");
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length) {
      throw new AppError("invalid", "a message is shorter than its fields");
    }
    this.#at += length;
    return start;
  }
}
