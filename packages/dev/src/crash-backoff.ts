const FIRST_MS = 500;
const LAST_MS = 8_000;
// A process that lived this long was well: its next crash is a first one.
const WELL_AFTER_MS = 10_000;

/** How long to wait before a crashed process starts again: half a second, doubling up to eight. */
export class CrashBackoff {
  #crashes = 0;

  /** Counts a crash after so much life, and gives the wait in milliseconds. */
  next(livedMs: number): number {
    if (livedMs >= WELL_AFTER_MS) this.#crashes = 0;
    this.#crashes += 1;
    return Math.min(LAST_MS, FIRST_MS * 2 ** (this.#crashes - 1));
  }

  /** Forgets the crashes: it is another program now. */
  reset(): void {
    this.#crashes = 0;
  }
}
