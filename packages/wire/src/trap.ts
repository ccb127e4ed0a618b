import type { AppError } from "parapet/errors";

/** Tells the message that is meant. */
export type Match<Seen> = (seen: Seen) => boolean;

/**
 * What happens to the message that a trap waits for:
 * - `pass`: it goes on, as all others do;
 * - `hold`: it stays, and so does everything behind it in its direction, until the trap is released or its sender is gone;
 * - `cut`: everything before it goes on, and then the connection is reset on both sides;
 * - `swallow`: it is lost, and what comes behind it goes on;
 * - `delayMs`: it goes on so much later, and so does everything behind it in its direction.
 */
export type Fate = "pass" | "hold" | "cut" | "swallow" | { readonly delayMs: number };

/** Waits for one message. */
export interface Trap<Seen> {
  /**
   * The message that it caught. With `pass` it was handed to the kernel by then; with `cut` both sides were reset.
   * Rejects with `invalid` when a connection is no longer readable, `unavailable` when the message could not be handed
   * on, `canceled` when the trap is released or the proxy closed before.
   */
  readonly fired: Promise<Seen>;
  /** Lets go on what it holds or delays; disarms it when it has caught nothing yet. */
  release(): void;
}

/** A trap as the proxy sees it. */
export class ArmedTrap<Seen> implements Trap<Seen> {
  readonly match: Match<Seen>;
  readonly fate: Fate;
  readonly fired: Promise<Seen>;
  #onRelease: () => void;
  #fire: (seen: Seen) => void = () => {};
  #fail: (error: AppError) => void = () => {};

  constructor(match: Match<Seen>, fate: Fate, disarm: () => void) {
    this.match = match;
    this.fate = fate;
    this.#onRelease = disarm;
    this.fired = new Promise((resolve, reject) => {
      this.#fire = resolve;
      this.#fail = reject;
    });
    // A trap that nobody waits for may fail.
    this.fired.catch(() => {});
  }

  release(): void {
    const onRelease = this.#onRelease;
    this.#onRelease = () => {};
    onRelease();
  }

  /** To be told that the message was caught, and what a release then does. */
  caught(onRelease: () => void): void {
    this.#onRelease = onRelease;
  }

  fire(seen: Seen): void {
    this.#fire(seen);
  }

  fail(error: AppError): void {
    this.#fail(error);
  }
}
