import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const KEPT_LINES = 12;

/** Keeps reading a stream, so that its writer never blocks, and remembers its last lines. */
export class LogTail {
  readonly #lines: string[] = [];

  constructor(stream: Readable) {
    createInterface({ input: stream }).on("line", (line) => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    });
  }

  /** The last lines, indented, as a block of its own beneath a message. */
  text(): string {
    return this.#lines.map((line) => `\n    ${line}`).join("");
  }
}
