import { type Context, orDone, withTimeout } from "../context/index.ts";
import type { Component } from "./component.ts";

// A start waits for no peer, so this is only ever reached by a bug.
const START_MS = 10_000;

export interface StartOutcome {
  /** The components whose start was called, the last one perhaps in vain: they are to be stopped. */
  readonly begun: readonly Component[];
  readonly failure?: { readonly component: string; readonly error: unknown };
}

/** Starts components one after the other, left to right, up to the first that fails or until the context is done. */
export async function startAll(ctx: Context, components: readonly Component[]): Promise<StartOutcome> {
  const begun: Component[] = [];
  for (const component of components) {
    if (ctx.done !== undefined) break;
    begun.push(component);
    try {
      await withTimeout(ctx, START_MS, (ctx) => orDone(ctx, component.start(ctx)));
    } catch (error) {
      return { begun, failure: { component: component.name, error } };
    }
  }
  return { begun };
}
