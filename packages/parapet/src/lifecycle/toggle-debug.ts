import type { Logger } from "../log/index.ts";

/** On SIGUSR2, switches between the level that applies now and `debug`, and logs that it did. */
export function toggleDebugOnSignal(log: Logger): void {
  // Windows does not have the signal, and Node throws when asked to listen for it there.
  if (process.platform === "win32") return;
  const configured = log.level;
  process.on("SIGUSR2", () => {
    const level = log.level === "debug" ? configured : "debug";
    // Said while debug applies, so that it shows whatever the configured level is.
    log.level = "debug";
    log.info("log level changed", { to: level });
    log.level = level;
  });
}
