import type { Socket } from "node:net";

/** What happens to bytes on their way, in both directions unless it says otherwise. */
export type LinkFault =
  | { readonly kind: "pass" }
  | { readonly kind: "latency"; readonly ms: number }
  /** Nothing arrives, neither bytes nor the end; what was held back arrives when the hole is over. */
  | { readonly kind: "blackhole" }
  /** The connection ends when this many more bytes went from the target to the client; at 0 with the first byte. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  | { readonly kind: "slice"; readonly bytes: number; readonly everyMs: number }
  /** One bit of about so many bytes is another. */
  | { readonly kind: "flip"; readonly everyBytes: number };

// What one direction holds back before it stops reading: a few socket buffers.
const MAX_HELD_BYTES = 256 * 1024;

/** One direction of a connection: reads from one socket, and writes to the other as the fault allows. */
export class FaultLink {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #held: { readonly bytes: Buffer; readonly arrivedAt: number }[] = [];
  #fault: LinkFault;
  #heldBytes = 0;
  #passedBytes = 0;
  #hasEnded = false;
  #isFull = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, fault: LinkFault) {
    this.#from = from;
    this.#to = to;
    this.#fault = fault;
    from.on("data", (bytes: Buffer) => this.#hold(bytes));
    from.on("end", () => {
      this.#hasEnded = true;
      this.#move();
    });
    to.on("drain", () => {
      this.#isFull = false;
      this.#move();
    });
  }

  /** Holds from now on, also for what is held back. */
  setFault(fault: LinkFault): void {
    this.#fault = fault;
    this.#passedBytes = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#move();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
  }

  #hold(bytes: Buffer): void {
    this.#held.push({ bytes, arrivedAt: performance.now() });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= MAX_HELD_BYTES) this.#from.pause();
    this.#move();
  }

  #move(): void {
    while (this.#timer === undefined && !this.#isFull && this.#to.writable) {
      const [head] = this.#held;
      if (this.#fault.kind === "blackhole") return;
      if (head !== undefined) this.#step(head.bytes, head.arrivedAt);
      else if (this.#hasEnded) this.#to.end();
      else return;
    }
  }

  #step(bytes: Buffer, arrivedAt: number): void {
    const fault = this.#fault;
    if (fault.kind === "latency") {
      const waitMs = arrivedAt + fault.ms - performance.now();
      if (waitMs > 0) this.#wait(waitMs);
      else this.#pass(bytes.length);
    } else if (fault.kind === "slice") {
      this.#pass(fault.bytes);
      this.#wait(fault.everyMs);
    } else if (fault.kind === "cut") {
      this.#pass(fault.afterBytes - this.#passedBytes);
      if (this.#passedBytes === fault.afterBytes) this.#cut();
    } else {
      this.#pass(bytes.length);
    }
  }

  /** Writes up to `maxBytes` of what is held longest. */
  #pass(maxBytes: number): void {
    const head = this.#held.shift();
    if (head === undefined) return;
    const bytes = head.bytes.subarray(0, maxBytes);
    if (bytes.length < head.bytes.length) this.#held.unshift({ ...head, bytes: head.bytes.subarray(bytes.length) });
    this.#heldBytes -= bytes.length;
    this.#passedBytes += bytes.length;
    if (this.#heldBytes < MAX_HELD_BYTES) this.#from.resume();
    this.#isFull = !this.#to.write(this.#fault.kind === "flip" ? flipped(bytes, this.#fault.everyBytes) : bytes);
  }

  #cut(): void {
    this.close();
    this.#to.destroySoon();
    this.#from.destroy();
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#move();
    }, ms);
  }
}

function flipped(bytes: Buffer, everyBytes: number): Buffer {
  const gap = () => Math.floor(Math.random() * 2 * everyBytes);
  const others = Buffer.from(bytes);
  for (let at = gap(); at < others.length; at += 1 + gap()) {
    others[at] = (others[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
  }
  return others;
}
