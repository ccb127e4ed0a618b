import type { Writable } from "node:stream";
import { LineBuffer } from "./line-buffer.ts";
import type { LineSink } from "./line-sink.ts";
import type { LogLevel } from "./logger.ts";

// How much may wait for a slow reader: some seconds of a busy service's lines.
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
// What a Linux pipe holds.
const MAX_CHUNK_BYTES = 65_536;
const RETRY_MS = 1000;
const NEWLINE = 10;

export interface BoundedSinkOptions {
  /** Changes each line on its way out, as for a terminal. */
  readonly format?: (line: string) => string;
  /** How much may wait: 4 MiB unless told. */
  readonly maxWaitingBytes?: number;
}

/**
 * Writes lines to a stream without ever blocking, throwing or growing: one chunk at a time, all lines of one turn of
 * the event loop together, at most 4 MiB waiting. Beyond that it drops the oldest lines of the lowest level and counts
 * them. A stream that fails (full disk, dead reader) is tried again every second.
 */
export class BoundedSink implements LineSink {
  readonly #out: Writable;
  readonly #waiting: LineBuffer;
  readonly #format: (line: string) => string;
  #report: (dropped: number) => void = () => {};
  #dropped = 0;
  #reported = 0;
  #scheduled = false;
  #writing = false;
  /** What failed to be written, to be tried again before anything newer. */
  #failed: Buffer | undefined;
  #retry: NodeJS.Timeout | undefined;
  #flushing: (() => void)[] = [];

  constructor(out: Writable, options: BoundedSinkOptions = {}) {
    this.#out = out;
    this.#waiting = new LineBuffer(options.maxWaitingBytes ?? MAX_WAITING_BYTES);
    this.#format = options.format ?? ((line) => line);
    // The write's callback has the error too; without a listener it would end the process.
    out.on("error", () => {});
  }

  /** How many lines were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Calls back once lines can be written again, with how many were dropped since the last time. */
  reportDropped(report: (dropped: number) => void): void {
    this.#report = report;
  }

  write(level: LogLevel, line: string): void {
    this.#dropped += this.#waiting.push(level, this.#format(line));
    if (this.#scheduled || this.#writing || this.#retry !== undefined) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#writeNext();
    });
  }

  /** Waits until all is written, or the stream fails, or `timeoutMs` milliseconds passed. */
  flush(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#flushing.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#writeNext();
    });
  }

  /** Writes what the stream takes at once. For the moment before the process ends, when nothing waits any more. */
  flushNow(): void {
    while (this.#out.writableLength === 0) {
      const chunk = this.#takeChunk();
      if (chunk === undefined) return;
      this.#out.write(chunk);
    }
  }

  #writeNext(): void {
    if (this.#writing) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const chunk = this.#takeChunk();
    if (chunk === undefined) this.#flushed();
    else this.#writeChunk(chunk);
  }

  #writeChunk(chunk: Buffer): void {
    this.#writing = true;
    this.#out.write(chunk, (error) => {
      this.#writing = false;
      if (error) this.#fail(chunk);
      else this.#succeed();
    });
  }

  #takeChunk(): Buffer | undefined {
    const chunk = this.#failed ?? this.#waiting.take(MAX_CHUNK_BYTES);
    this.#failed = undefined;
    return chunk;
  }

  #fail(chunk: Buffer): void {
    // Part of it may have been written: a new line keeps that part apart from what comes after.
    this.#failed = chunk[0] === NEWLINE ? chunk : Buffer.concat([Buffer.of(NEWLINE), chunk]);
    this.#retry = setTimeout(() => this.#writeNext(), RETRY_MS).unref();
    this.#flushed();
  }

  #succeed(): void {
    const dropped = this.#dropped - this.#reported;
    if (dropped > 0 && this.#waiting.isHalfFree) {
      this.#reported = this.#dropped;
      this.#report(dropped);
    }
    this.#writeNext();
  }

  #flushed(): void {
    const waiting = this.#flushing;
    this.#flushing = [];
    for (const done of waiting) done();
  }
}
