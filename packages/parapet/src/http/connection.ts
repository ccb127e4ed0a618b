import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Exchange } from "./exchange.ts";
import { closeGently } from "./gentle-close.ts";
import type { Refusal } from "./refusal.ts";

/** A request that has arrived, to be begun when it is its turn. */
export interface Arrival {
  readonly request: IncomingMessage;
  begin(): Exchange;
}

/**
 * One connection. Its requests run one at a time, in their order, as in Go's net/http: who pipelines saves round trips and
 * gets no more of the server than others. While one waits nothing is read, so as many wait as fit into one read, 64 KiB.
 */
export class Connection {
  readonly socket: Socket;
  readonly #onIdle: () => void;
  readonly #waiting: Arrival[] = [];
  #current: Exchange | undefined;
  /** Answers what came after the last request and is none, when the answers before it are out. */
  #refuseRest: (() => void) | undefined;
  #isClosing = false;
  #isDeaf = false;
  /** How many bytes had arrived when it was last idle: more means that a request is on its way. */
  #bytesReadWhenIdle = 0;
  #taken = { bytes: 0, at: 0 };

  constructor(socket: Socket, onIdle: () => void) {
    this.socket = socket;
    this.#onIdle = onIdle;
    // Node reads on whenever a request is done with.
    socket.on("resume", () => this.#holdBack());
    // `close` follows. Node's own listener goes with CONNECT, and an error that nobody listens to ends the process.
    socket.on("error", () => {});
    // Node calls this after the last byte of an answer that said `connection: close`.
    socket.destroySoon = () => this.closeGently();
  }

  /** Tells whether no request is here, and none on its way. One that was never used is about to be. */
  get isIdle(): boolean {
    return !this.isBusy && this.socket.bytesRead > 0 && this.socket.bytesRead === this.#bytesReadWhenIdle;
  }

  /** Tells whether an answer is under way. */
  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  /** Tells whether requests wait for the answer under way. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Runs a request, now or after those before it; never when an answer said that the connection closes. */
  arrived(arrival: Arrival): void {
    if (this.#isClosing) this.#isDeaf = true;
    else if (this.#current === undefined) this.#current = arrival.begin();
    else this.#waiting.push(arrival);
    this.#holdBack();
  }

  /** Notes that the answer under way is out, or will never be. */
  answered(): void {
    this.#current = undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#readOn();
      this.#current = next.begin();
    } else if (this.#refuseRest !== undefined && !this.#isClosing) {
      this.#refuseRest();
    } else {
      this.#bytesReadWhenIdle = this.socket.bytesRead;
      this.#onIdle();
    }
  }

  /** Notes that the peer took what was sent, so that an answer that waits for it goes on. */
  drained(): void {
    this.#current?.drained();
  }

  /** Notes that the answer under way says that the connection closes. */
  closesAfterAnswer(): void {
    this.#isClosing = true;
    // What nobody will run may have no end, so it is not read; who sent nothing of the kind is heard, for its FIN.
    this.#isDeaf ||= this.hasWaiting;
    this.#waiting.length = 0;
  }

  /**
   * Notes that what arrives can't be understood or does not come in time. The request that it belongs to is refused; bytes
   * that belong to none are answered by `refuse`, after the answers before them. Who sent nothing asked for nothing, and
   * would take a refusal for the answer to a request that is on its way.
   */
  broke(refusal: Refusal, refuse: () => void): void {
    if (this.#isClosing) return;
    if (this.socket.bytesRead === 0) return void this.closeGently();
    if (this.#waiting.at(-1)?.request.complete === false) this.#waiting.pop();
    this.#readOn();
    if (this.#current === undefined) refuse();
    else if (this.#current.isArriving) this.#current.abort(refusal);
    else this.#refuseRest = refuse;
  }

  closeGently(): void {
    this.closesAfterAnswer();
    closeGently(this.socket);
  }

  /** Lets go of all that waits, since the peer is gone. */
  closed(): void {
    this.#isClosing = true;
    this.#waiting.length = 0;
  }

  /** Tells whether the peer has not taken what was sent to it in time. */
  isStuck(now: number, writeTimeoutMs: number): boolean {
    const answeredAt = this.#current?.answeredAt ?? now;
    return now - Math.min(answeredAt, this.#lastTakenAt(now)) > writeTimeoutMs;
  }

  #lastTakenAt(now: number): number {
    const { bytesWritten, writableLength } = this.socket;
    const bytes = bytesWritten - writableLength;
    if (writableLength === 0 || bytes !== this.#taken.bytes) this.#taken = { bytes, at: now };
    return this.#taken.at;
  }

  #holdBack(): void {
    if (this.hasWaiting || this.#isDeaf) this.socket.pause();
  }

  #readOn(): void {
    if (!this.hasWaiting) this.socket.resume();
  }
}
