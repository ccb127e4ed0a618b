import { CancelableContext, type Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { type EndCause, exitCodeOf, logEndCause, onEndCause } from "./end-cause.ts";

export interface Command {
  readonly name: string;
  readonly work: (ctx: Context) => Promise<void>;
}

// A probe's answer is worth nothing late; other commands take what they take, as a migration does.
const HEALTH_MS = 5000;
// Time for a rollback: with the log flush, the process is gone 2 s after the signal.
const ROLLBACK_MS = 1500;

/**
 * Runs a component's command under a context that a stop signal cancels, and gives the exit code: 0 when it finished, even
 * after the signal; 1 when it failed; 130 or 143 when SIGINT or SIGTERM ended it.
 */
export async function runCommand(command: Command, log: Logger): Promise<number> {
  const limit = command.name === "health" ? { deadline: performance.now() + HEALTH_MS } : {};
  const ctx = new CancelableContext({ log, ...limit });
  const ended = new Promise<EndCause>((resolve) => onEndCause([], resolve));
  const finished = codeOf(command, ctx);
  const first = await Promise.race([finished, ended]);
  if (typeof first === "number") return first;
  logEndCause(log, first);
  ctx.cancel(new AppError("canceled", "the process was told to end"));
  const code = await Promise.race([finished, elapsed(ROLLBACK_MS)]);
  return code === 0 && first.kind === "signal" ? 0 : exitCodeOf(first);
}

async function codeOf({ name, work }: Command, ctx: Context): Promise<number> {
  try {
    await work(ctx);
    return 0;
  } catch (error) {
    ctx.log.error("command failed", { command: name, error });
    return 1;
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
