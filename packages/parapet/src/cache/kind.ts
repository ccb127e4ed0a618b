import type { Context } from "../context/index.ts";
import { AppError } from "../errors/index.ts";
import type { EntriesInstruments } from "./instruments.ts";
import { type Load, type Outcome, outcomeOf } from "./outcome.ts";
import type { Codec } from "./stored-entry.ts";

/** A kind of entries: what it is called, how it is written, how long it lives, and where it is counted. */
export interface Kind<T> {
  readonly name: string;
  readonly codec: Codec<T>;
  /** In milliseconds. */
  readonly ttlMs: number;
  readonly missingTtlMs: number;
  readonly instruments: EntriesInstruments;
}

/** An outcome with how long its load took, in milliseconds. */
export interface Loaded<T> {
  readonly outcome: Outcome<T>;
  readonly costMs: number;
}

const MAX_TTL_MS = 24 * 60 * 60 * 1000;
const NAME = /^[a-z][a-z0-9_]*$/;

/** Throws `internal` for what can't be kept: a bug of whoever declares the kind. */
export function checkKind(kind: Pick<Kind<unknown>, "name" | "ttlMs" | "missingTtlMs">, version: number): void {
  const { name, ttlMs, missingTtlMs } = kind;
  const isWhole = (value: number, min: number, max: number) => Number.isInteger(value) && value >= min && value <= max;
  if (!NAME.test(name)) throw new AppError("internal", "a kind of cache entries is named in snake case");
  if (!isWhole(version, 0, 255)) throw new AppError("internal", "the version of cache entries is 0 to 255");
  if (!isWhole(ttlMs, 1, MAX_TTL_MS) || !isWhole(missingTtlMs, 1, ttlMs))
    throw new AppError(
      "internal",
      "cache entries live for whole milliseconds, and missing ones not longer than others",
    );
}

/** Loads, counts and times. */
export async function loadOf<T>(ctx: Context, kind: Kind<T>, load: Load<T>): Promise<Loaded<T>> {
  const startedAt = performance.now();
  try {
    const outcome = await outcomeOf(ctx, load);
    return { outcome, costMs: performance.now() - startedAt };
  } finally {
    kind.instruments.loadDuration.observe((performance.now() - startedAt) / 1000);
  }
}

/**
 * How long an outcome is kept: 90 to 100 % of what was asked for, so that what was filled together does not expire together,
 * and nothing outlives what was asked for.
 */
export function lifeOf<T>(kind: Kind<T>, outcome: Outcome<T>): number {
  const ttlMs = outcome.kind === "found" ? kind.ttlMs : kind.missingTtlMs;
  return Math.ceil(ttlMs * (0.9 + Math.random() / 10));
}
