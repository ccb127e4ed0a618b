import { fstatSync, writeSync } from "node:fs";
import { BoundedSink } from "./bounded-sink.ts";
import { isError } from "./error-fields.ts";
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
  if (fstatSync(out.fd).isFile()) writeWhole(out);
  const opened = out.isTTY
    ? new BoundedSink(out, { format: (line) => prettyLine(line, { colour: out.hasColors() }) })
    : new BoundedSink(out);
  process.on("exit", () => opened.flushNow());
  return opened;
}

/** Node's own stream for a file takes for whole what a full disk cut short: the rest would be lost, and not even counted. */
function writeWhole(out: typeof process.stdout): void {
  out._write = (chunk: Uint8Array, _encoding, done) => {
    try {
      for (let at = 0; at < chunk.length; ) at += writeSync(out.fd, chunk, at);
      done();
    } catch (thrown) {
      done(isError(thrown) ? thrown : new Error("the write failed"));
    }
  };
}
