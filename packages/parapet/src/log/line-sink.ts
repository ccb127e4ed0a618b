import type { LogLevel } from "./logger.ts";

/** Where finished lines go. It must neither throw nor wait. */
export interface LineSink {
  /** Takes one line: a JSON object of at most 16 KiB that ends in a newline, with secrets masked. */
  write(level: LogLevel, line: string): void;
}
