/** Labeled series that a registry holds over all its metrics, so that no client can make it grow without end. */
const MAX_SERIES = 2000;

// A lone surrogate becomes U+FFFD on the wire: two such values would be one series exposed twice, which fails the scrape.
const FIT_VALUE = /^\P{Surrogate}{0,128}$/u;

/** Hands out the room for labeled series, and counts who came in vain. */
export class SeriesBudget {
  #left = MAX_SERIES;
  #dropped = 0;

  /** How many lookups of a new series found no room, or brought a value that is too long or broken. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes room for one series with these label values; false when it can't be had. */
  take(values: readonly string[]): boolean {
    // A metric without labels can't grow.
    if (values.length === 0) return true;
    const fits = this.#left > 0 && values.every((value) => FIT_VALUE.test(value));
    if (fits) this.#left--;
    else this.#dropped++;
    return fits;
  }
}
