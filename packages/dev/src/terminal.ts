import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { styleText } from "node:util";
import { prettyLine } from "parapet/log";

type Colour = "cyan" | "magenta" | "yellow" | "green" | "blue" | "gray";

const SERVICE_COLOURS: readonly Colour[] = ["cyan", "magenta", "yellow", "green", "blue"];
const OWN_NAME = "parapet";

export interface TerminalOptions {
  readonly out: Writable;
  /** Whether to colour, for terminals that can. */
  readonly colour: boolean;
  /** Who will write beside the supervisor itself. */
  readonly names: readonly string[];
}

/** The one screen that all processes share: every line says whose it is, and log lines are made readable. */
export class Terminal {
  readonly colour: boolean;
  readonly #out: Writable;
  readonly #names: readonly string[];
  readonly #width: number;
  readonly #waiting = new Set<Readable>();

  constructor({ out, colour, names }: TerminalOptions) {
    this.#out = out;
    this.colour = colour;
    this.#names = names;
    out.on("drain", () => this.#resume());
    // A screen that is gone takes all and shows nothing.
    out.on("error", () => this.#resume());
    this.#width = Math.max(OWN_NAME.length, ...names.map((name) => name.length));
  }

  /** Shows lines of the supervisor's own. */
  say(text: string): void {
    this.#show(OWN_NAME, text);
  }

  /** Shows a text as it is, without a prefix, so that what it offers can be copied. */
  print(text: string): void {
    this.#out.write(`${text}\n`);
  }

  /** Shows a process's output line by line. While the screen is slow the process waits, and its own bound applies. */
  follow(name: string, output: Readable): void {
    createInterface({ input: output }).on("line", (line) => {
      if (this.#show(name, prettyLine(line, { colour: this.colour })) || !this.#out.writable) return;
      output.pause();
      this.#waiting.add(output);
    });
  }

  #resume(): void {
    for (const output of this.#waiting) output.resume();
    this.#waiting.clear();
  }

  #show(name: string, text: string): boolean {
    const prefix = this.#prefix(name);
    return this.#out.write(text.trimEnd().replace(/^/gm, prefix).concat("\n"));
  }

  #prefix(name: string): string {
    const prefix = `${name.padEnd(this.#width)} | `;
    const index = this.#names.indexOf(name);
    const colour = SERVICE_COLOURS[index % SERVICE_COLOURS.length] ?? "gray";
    return this.colour ? styleText(index < 0 ? "gray" : colour, prefix) : prefix;
  }
}
