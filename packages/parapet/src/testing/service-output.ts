import type { Readable } from "node:stream";
import type { LogLine } from "./test-context.ts";

/** Collects what a process writes to stdout or stderr, as text and as log lines. */
export class ServiceOutput {
  readonly lines: LogLine[] = [];
  readonly #onLine: () => void;
  #text = "";
  #parsedTo = 0;

  constructor(onLine: () => void) {
    this.#onLine = onLine;
  }

  /** All of it so far. */
  get text(): string {
    return this.#text;
  }

  collect(stream: Readable): void {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#append(text));
    // The process may be gone while we read.
    stream.on("error", () => {});
  }

  #append(text: string): void {
    this.#text += text;
    for (let end = this.#nextLineEnd(); end !== -1; end = this.#nextLineEnd()) {
      const line = parseLine(this.#text.slice(this.#parsedTo, end));
      if (line !== undefined) this.lines.push(line);
      this.#parsedTo = end + 1;
    }
    this.#onLine();
  }

  #nextLineEnd(): number {
    return this.#text.indexOf("\n", this.#parsedTo);
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
