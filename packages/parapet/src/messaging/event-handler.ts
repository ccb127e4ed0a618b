import type { Context } from "../context/index.ts";
import type { EventContract, EventData, Once } from "../contract/index.ts";

/** What a handler gets of an event. */
export interface EventInput<E extends EventContract> {
  /** It keeps the event's contract; a newer publisher may say more. */
  readonly data: EventData<E>;
  readonly id: string;
  /** What it happened to. */
  readonly key: string;
  readonly time: Date;
  /** To be handed to the transaction that makes the effect, so that the same message again makes none. */
  readonly once: Once<unknown>;
}

/** An event, and what is done when it arrives. */
export interface EventHandler<E extends EventContract = EventContract> {
  readonly event: E;
  readonly handle: (ctx: Context, input: EventInput<E>) => Promise<void>;
}

/**
 * Ties an event to its handler. One that returns has had its effect; one that throws `invalid`, `forbidden` or `unauthenticated` will
 * never have it, and the message is parked; after anything else the message comes again, later each time.
 */
export function on<E extends EventContract>(event: E, handle: EventHandler<E>["handle"]): EventHandler {
  return { event, handle: handle as EventHandler["handle"] };
}
