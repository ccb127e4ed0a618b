const NOTHING = Buffer.alloc(0);

/**
 * Bytes that were received and not taken yet, in one piece. What arrives in one chunk is never copied; what arrives in
 * many is copied a constant number of times, however many there are.
 */
export class ReceivedBytes {
  #storage: Buffer = NOTHING;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** All of them, without taking them. */
  peek(): Buffer {
    return this.#storage.subarray(this.#start, this.#end);
  }

  append(chunk: Buffer): void {
    if (this.length === 0) this.#adopt(chunk);
    else this.#copy(chunk);
  }

  /** The first `length` bytes, of which there must be as many. Nobody writes to them later. */
  take(length: number): Buffer {
    const taken = this.#storage.subarray(this.#start, this.#start + length);
    this.#start += length;
    if (this.length === 0) this.#adopt(NOTHING);
    return taken;
  }

  #adopt(chunk: Buffer): void {
    this.#storage = chunk;
    this.#start = 0;
    this.#end = chunk.length;
  }

  #copy(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (this.#end + chunk.length > this.#storage.length) {
      const grown = Buffer.allocUnsafeSlow(2 * length);
      this.peek().copy(grown);
      this.#adopt(grown);
    }
    chunk.copy(this.#storage, this.#start + length - chunk.length);
    this.#end = this.#start + length;
  }
}
