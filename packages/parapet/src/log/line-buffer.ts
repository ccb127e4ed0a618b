import { LOG_LEVELS, type LogLevel } from "./logger.ts";

interface WaitingLine {
  readonly level: LogLevel;
  readonly bytes: number;
}

// How much of the block is freed at once when it is full: an eighth, so that moving the rest stays rare.
const FREED_PARTS = 8;

/**
 * Lines that wait to be written, in order, in one block of memory outside the garbage collector's heap, where a backlog
 * of strings would cost several times its size. When the block is full, lines of the lowest level give way first, and
 * among them the oldest; a line that finds too little of its own level or below is dropped itself.
 */
export class LineBuffer {
  readonly #block: Buffer;
  #lines: WaitingLine[] = [];
  /** How many of the lines were taken already. */
  #taken = 0;
  #start = 0;
  #end = 0;
  readonly #waiting: Record<LogLevel, number> = { debug: 0, info: 0, warn: 0, error: 0 };

  constructor(maxBytes: number) {
    this.#block = Buffer.allocUnsafeSlow(maxBytes);
  }

  /** Whether at least half of it is free. */
  get isHalfFree(): boolean {
    return this.#end - this.#start <= this.#block.length / 2;
  }

  /** Adds a line and tells how many were dropped, counting itself. */
  push(level: LogLevel, line: string): number {
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    const maxBytes = line.length * 3;
    const dropped = this.#hasRoom(maxBytes) ? 0 : this.#makeRoom(level, maxBytes);
    if (!this.#hasRoom(maxBytes)) return dropped + 1;
    const bytes = this.#block.write(line, this.#end);
    this.#lines.push({ level, bytes });
    this.#waiting[level] += bytes;
    this.#end += bytes;
    return dropped;
  }

  /** Takes the oldest lines, at least one and hardly more than `maxBytes`; undefined when there are none. */
  take(maxBytes: number): Buffer | undefined {
    const from = this.#start;
    let line = this.#lines[this.#taken];
    while (line !== undefined && this.#start - from < maxBytes) {
      this.#start += line.bytes;
      this.#waiting[line.level] -= line.bytes;
      line = this.#lines[++this.#taken];
    }
    if (this.#start === from) return undefined;
    // A copy, since a stream may hold on to it while the lines behind it move.
    const chunk = Buffer.from(this.#block.subarray(from, this.#start));
    if (line === undefined) this.#compact({});
    return chunk;
  }

  #hasRoom(bytes: number): boolean {
    return this.#end + bytes <= this.#block.length;
  }

  #makeRoom(level: LogLevel, bytes: number): number {
    const wanted = Math.max(bytes, this.#block.length / FREED_PARTS);
    let excess = wanted - (this.#block.length - (this.#end - this.#start));
    const quotas: Partial<Record<LogLevel, number>> = {};
    for (const lower of LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level) + 1)) {
      quotas[lower] = Math.min(excess, this.#waiting[lower]);
      excess -= quotas[lower];
    }
    return excess > 0 ? 0 : this.#compact(quotas);
  }

  /** Moves what waits to the start of the block, leaving out each level's oldest lines, as many bytes as its quota. */
  #compact(quotas: Partial<Record<LogLevel, number>>): number {
    const waiting = this.#lines.slice(this.#taken);
    let from = this.#start;
    let to = 0;
    this.#lines = waiting.filter(({ level, bytes }) => {
      const quota = quotas[level] ?? 0;
      const kept = quota <= 0;
      if (kept) {
        this.#block.copyWithin(to, from, from + bytes);
        to += bytes;
      } else {
        quotas[level] = quota - bytes;
        this.#waiting[level] -= bytes;
      }
      from += bytes;
      return kept;
    });
    this.#taken = 0;
    this.#start = 0;
    this.#end = to;
    return waiting.length - this.#lines.length;
  }
}
