import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";

// Less than a new connection costs; Go's net/http reads past 256 KiB.
const MAX_DISCARDED_BYTES = 64 * 1024;

/** The body of one request, from its declaration to its last byte. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** What the head says of the length: 0 without a body, infinite when it comes in chunks (RFC 9112, 6.3). */
  readonly #declaredBytes: number;
  #awaitsContinue: boolean;
  #isTaken = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    const { headers, httpVersion } = request;
    this.#request = request;
    this.#response = response;
    const isChunked = headers["transfer-encoding"] !== undefined;
    this.#declaredBytes = isChunked ? Number.POSITIVE_INFINITY : Number(headers["content-length"] ?? 0);
    // Only 1.1 knows the interim answer; other expectations were refused.
    this.#awaitsContinue = headers.expect !== undefined && httpVersion === "1.1";
  }

  /** Tells whether there is one. */
  get exists(): boolean {
    return this.#declaredBytes > 0;
  }

  /** Tells whether bytes of it are still to come. */
  get isArriving(): boolean {
    return !this.#request.complete;
  }

  /** Tells whether somebody waits for bytes of it. */
  get isAwaited(): boolean {
    return this.#isTaken && this.isArriving;
  }

  /** Tells whether what is still to come is too much to read past it, or not sure to come. */
  get blocksConnection(): boolean {
    return this.exists && this.isArriving && (this.#awaitsContinue || this.#declaredBytes > MAX_DISCARDED_BYTES);
  }

  /** Tells a client that waits for it to send the body. */
  continue(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    this.#response.writeContinue();
  }

  /**
   * Reads it whole, once. Throws `invalid` (413): when it is declared over the limit before a byte is read, else at the
   * first byte over it; `canceled` when it ends early.
   */
  async read(maxBytes: number): Promise<Buffer> {
    if (this.#isTaken) throw new AppError("internal", "a body can be read once");
    this.#isTaken = true;
    if (Number.isFinite(this.#declaredBytes) && this.#declaredBytes > maxBytes) throw tooLarge(maxBytes);
    this.continue();
    return collect(this.#request, this.#response, maxBytes);
  }
}

function collect(request: IncomingMessage, response: ServerResponse, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) settle(() => reject(tooLarge(maxBytes)));
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      const [first = Buffer.alloc(0)] = chunks;
      settle(() => resolve(chunks.length > 1 ? Buffer.concat(chunks, size) : first));
    };
    const onClose = (): void => settle(() => reject(new AppError("canceled", "the body ended early")));
    const settle = (finish: () => void): void => {
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      response.off("close", onClose);
      if (!request.complete) request.pause();
      finish();
    };
    // Its `close` was before anybody asked for it.
    if (request.destroyed || response.destroyed) return onClose();
    // Node forgets a request once it is answered: an early answer is the last that is heard of it.
    response.on("close", onClose);
    // A listener for errors keeps Node from throwing a reset at the process; `close` follows each of them.
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, `the body may have at most ${maxBytes} bytes`, { headers: { connection: "close" } });
}
