import { BoundedSink } from "./bounded-sink.ts";
import { prettyLine } from "./pretty-line.ts";

let sink: BoundedSink | undefined;

/**
 * The one sink that all loggers of this process share. Through `process.stdout` alone: a write to the file descriptor
 * would block on a full pipe, and `process.exit` with it. A terminal gets lines for people.
 */
export function stdoutSink(): BoundedSink {
  sink ??= openStdout();
  return sink;
}

/** How many log lines this process dropped because nothing took them. */
export function droppedLines(): number {
  return sink?.dropped ?? 0;
}

/** Waits until all log lines are written, at most `timeoutMs` milliseconds, less when stdout fails. Never throws. */
export async function flushLogs(timeoutMs: number): Promise<void> {
  await sink?.flush(timeoutMs);
}

function openStdout(): BoundedSink {
  const out = process.stdout;
  const opened = out.isTTY
    ? new BoundedSink(out, { format: (line) => prettyLine(line, { colour: out.hasColors() }) })
    : new BoundedSink(out);
  process.on("exit", () => opened.flushNow());
  return opened;
}
