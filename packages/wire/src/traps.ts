import { AppError } from "parapet/errors";
import { ArmedTrap, type Fate, type Match } from "./trap.ts";

/** The traps of a proxy that wait for their message, in the order in which they were armed. */
export class Traps<Seen> {
  readonly #armed = new Set<ArmedTrap<Seen>>();

  arm(match: Match<Seen>, fate: Fate): ArmedTrap<Seen> {
    const trap = new ArmedTrap(match, fate, () => this.#disarm(trap));
    this.#armed.add(trap);
    return trap;
  }

  /** The first trap that waited for this message; it does so no longer. */
  catching(seen: Seen): ArmedTrap<Seen> | undefined {
    const trap = [...this.#armed].find(({ match }) => match(seen));
    if (trap === undefined) return undefined;
    this.#armed.delete(trap);
    trap.caught(() => {});
    return trap;
  }

  /** Nothing that is waited for will come. */
  fail(error: AppError): void {
    for (const trap of this.#armed) trap.fail(error);
    this.#armed.clear();
  }

  #disarm(trap: ArmedTrap<Seen>): void {
    this.#armed.delete(trap);
    trap.fail(new AppError("canceled", "the trap was released before it caught anything"));
  }
}
