import { AppError } from "../errors/index.ts";

// Apart from one another, so that those who were turned away together don't come back together.
const MAX_SPREAD_MS = 1000;

/** An `unavailable` that asks callers to stay away for at least `waitMs`, and up to a second more, each for as long as chance says. */
export function turnedAway(message: string, name: string, waitMs: number): AppError {
  const retryAfterMs = Math.round(waitMs + Math.random() * MAX_SPREAD_MS);
  const error = new AppError("unavailable", message, { retryAfterMs, fields: { dependency: name } });
  turnedAways.add(error);
  return error;
}

const turnedAways = new WeakSet<AppError>();

/** Tells whether a breaker or a bulkhead threw this instead of letting the call begin. */
export function wasTurnedAway(thrown: unknown): boolean {
  return thrown instanceof AppError && turnedAways.has(thrown);
}
