import { type Logger as PinoLogger, pino } from "pino";
import { fitLine } from "./fit-line.ts";
import { escapeUnprintable } from "./json-line.ts";
import type { LineSink } from "./line-sink.ts";
import { LOG_LEVELS, type LogFields, type LogLevel } from "./logger.ts";
import { scrubLine } from "./scrub.ts";

let lastMs = Number.NaN;
let lastTime = "";

/** The time of a line, with its key, as pino takes it: `,"time":"2026-01-02T03:04:05.678Z"`. Made once a millisecond. */
export function isoTime(): string {
  const ms = Date.now();
  if (ms !== lastMs) {
    lastMs = ms;
    lastTime = `,"time":"${new Date(ms).toISOString()}"`;
  }
  return lastTime;
}

const NOTHING = {};

/** What a logger shares with its children: the level and the way out. */
export class LineWriter {
  level: LogLevel;
  readonly #sink: LineSink;
  readonly #pino: PinoLogger;
  #lineLevel: LogLevel = "info";
  #lineFields: object = NOTHING;

  constructor(level: LogLevel, sink: LineSink) {
    this.level = level;
    this.#sink = sink;
    this.#pino = pino(
      {
        // Every level passes pino, since the level that applies is ours and changes at run time.
        level: "debug",
        base: null,
        timestamp: isoTime,
        formatters: { level: (label) => ({ level: label }) },
        // As an argument, fields called `method`, `headers` and `socket` would make pino take all for a request.
        mixin: () => this.#lineFields,
        mixinMergeStrategy: (_argument, fields) => fields,
      },
      { write: (line: string) => this.writeLine(this.#lineLevel, line) },
    );
  }

  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.level);
  }

  /** Writes fields that are safe to serialize. */
  write(level: LogLevel, fields: LogFields): void {
    this.#lineLevel = level;
    this.#lineFields = fields;
    this.#pino[level](NOTHING);
  }

  /** Writes a serialized line: escaped, scrubbed, cut to size. */
  writeLine(level: LogLevel, line: string): void {
    try {
      this.#sink.write(level, fitLine(scrubLine(escapeUnprintable(line))));
    } catch {
      // Logging never throws, whatever a sink does.
    }
  }
}
