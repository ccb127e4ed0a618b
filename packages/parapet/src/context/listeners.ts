interface Entry<A> {
  readonly listener: (about: A) => void;
  previous: Entry<A> | undefined;
  next: Entry<A> | undefined;
  isIn: boolean;
}

/**
 * Listeners in the order in which they came, each of which leaves in constant time. A linked list, since nearly all of these
 * have one, and a set for one costs more than all else about a context.
 */
export class Listeners<A> {
  #first: Entry<A> | undefined;
  #last: Entry<A> | undefined;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Adds a listener, also one that is in already; gives how to take it off again, which tells whether it was still in. */
  add(listener: (about: A) => void): () => boolean {
    const entry: Entry<A> = { listener, previous: this.#last, next: undefined, isIn: true };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    return () => this.#remove(entry);
  }

  /** Calls those who are in through `call`; who is taken off meanwhile is not called. */
  callEach(call: (listener: (about: A) => void) => void): void {
    const entries: Entry<A>[] = [];
    for (let entry = this.#first; entry !== undefined; entry = entry.next) entries.push(entry);
    for (const { isIn, listener } of entries) if (isIn) call(listener);
  }

  #remove(entry: Entry<A>): boolean {
    if (!entry.isIn) return false;
    entry.isIn = false;
    const { previous, next } = entry;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    // Those that are gone and old would else keep all that came after them, until a full collection.
    entry.previous = undefined;
    entry.next = undefined;
    return true;
  }
}
