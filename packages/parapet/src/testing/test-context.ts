import { type CancelableContext, rootContext } from "../context/index.ts";
import { createLogger, type LogLevel } from "../log/index.ts";

/** One line that was logged. */
export interface LogLine {
  readonly time: string;
  readonly level: LogLevel;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A context of its own for a test, which ends it by `cancel`. */
export type RecordedContext = CancelableContext & {
  /** What was logged through it and through all derived from it, oldest first. */
  readonly lines: readonly LogLine[];
};

/** Makes a context without a deadline whose log lines, `debug` included, go to `lines` and nowhere else. */
export function testContext(): RecordedContext {
  const lines: LogLine[] = [];
  const log = createLogger({
    service: "test",
    level: "debug",
    sink: { write: (_level, line) => lines.push(JSON.parse(line)) },
  });
  return Object.assign(rootContext(log), { lines });
}
