import type { Context } from "../context/index.ts";
import { AppError, hasCode } from "../errors/index.ts";

/** Gets the value from where it is kept; throws `not_found` when there is none. */
export type Load<T> = (ctx: Context) => Promise<T>;

/** What a load gave: the value, or that there is none. */
export type Outcome<T> =
  | { readonly kind: "found"; readonly value: T }
  | { readonly kind: "missing"; readonly error: AppError };

/** Loads. A `not_found` is an outcome; whatever else the load throws is thrown. */
export async function outcomeOf<T>(ctx: Context, load: Load<T>): Promise<Outcome<T>> {
  try {
    return found(await load(ctx));
  } catch (thrown) {
    if (hasCode(thrown, "not_found")) return { kind: "missing", error: thrown };
    throw thrown;
  }
}

/** A value, frozen, since it is given to many. */
export function found<T>(value: T): Outcome<T> {
  // The elements of a typed array can't be frozen, and trying to is an error.
  return { kind: "found", value: ArrayBuffer.isView(value) ? value : Object.freeze(value) };
}

/** That there is none, as it is remembered: the message, without the cause and the fields of one caller's error. */
export function missing(message: string): Outcome<never> {
  return { kind: "missing", error: new AppError("not_found", message) };
}

/** The value, or throws that there is none. */
export function resultOf<T>(outcome: Outcome<T>): T {
  if (outcome.kind === "missing") throw outcome.error;
  return outcome.value;
}
