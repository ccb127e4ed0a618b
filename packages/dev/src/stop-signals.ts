import { AppError } from "parapet/errors";

// One Ctrl-C arrives twice under `npm start`: from the terminal, and passed on by npm.
const ECHO_MS = 500;
/** 128 and SIGINT's number, as shells have it. */
export const EXIT_INTERRUPTED = 130;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopSignals {
  /** Aborts (`canceled`) at the first signal, and when told to. */
  readonly signal: AbortSignal;
  /** Does what a signal does. */
  stop(): void;
  /** Stops listening. */
  close(): void;
}

/** Turns Ctrl-C, a polite kill, and a terminal that closes into an abort; a second one calls `onAgain`. */
export function stopSignals(onAgain: () => void): StopSignals {
  const controller = new AbortController();
  let firstAt = Number.POSITIVE_INFINITY;
  const stop = () => {
    firstAt = Math.min(firstAt, performance.now());
    controller.abort(new AppError("canceled", "it was asked to stop"));
  };
  const onSignal = () => {
    if (!controller.signal.aborted) stop();
    else if (performance.now() - firstAt > ECHO_MS) onAgain();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    stop,
    close: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

/** For a command: aborts at the first signal, so that all that was started is stopped; a second one ends the process at once. */
export function untilInterrupted(): AbortSignal {
  return stopSignals(() => process.exit(EXIT_INTERRUPTED)).signal;
}
