import type { Readable } from "node:stream";
import type { LogLine } from "./test-context.ts";

/** Collects what a process writes to stdout or stderr, as text and as log lines. */
export class ServiceOutput {
  readonly lines: LogLine[] = [];
  readonly #onLine: () => void;
  readonly #chunks: string[] = [];
  /** The beginning of a line that has not ended yet. */
  #begun = "";

  constructor(onLine: () => void) {
    this.#onLine = onLine;
  }

  /** All of it so far. */
  get text(): string {
    return this.#chunks.join("");
  }

  collect(stream: Readable): void {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#append(text));
    // The process may be gone while we read.
    stream.on("error", () => {});
  }

  #append(text: string): void {
    // Kept apart: to search one text that grows costs more with each chunk, which a test under load would measure too.
    this.#chunks.push(text);
    const ended = `${this.#begun}${text}`.split("\n");
    this.#begun = ended.pop() ?? "";
    for (const line of ended) {
      const parsed = parseLine(line);
      if (parsed !== undefined) this.lines.push(parsed);
    }
    this.#onLine();
  }
}

/** Lines that are no JSON objects, as verbs print them, are left to `text`. */
function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
