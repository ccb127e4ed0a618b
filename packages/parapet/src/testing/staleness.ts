/** A read that saw what it should not have seen any more. Times are in milliseconds. */
export interface StalenessViolation {
  readonly key: string;
  /** What was read, and the oldest version that it could have been. */
  readonly version: number;
  readonly expected: number;
  /** How long before the read began that one was acknowledged. */
  readonly lateMs: number;
}

export interface StalenessOptions {
  /** How long after its acknowledgement a write may stay unseen, in milliseconds. */
  readonly boundMs: number;
}

/** Holds reads against acknowledged writes. Times are milliseconds on `performance.now()`'s clock. */
export interface StalenessChecker {
  /** A write of this version of the key was acknowledged now; versions grow. */
  wrote(key: string, version: number): void;
  /** A read that began at `startedAt` and is over now has seen this version of the key. */
  read(key: string, version: number, startedAt: number, reader?: string): void;
  violations(): readonly StalenessViolation[];
}

interface Sight {
  readonly version: number;
  readonly at: number;
}

/**
 * Makes a checker. A read that began later than `boundMs` after the acknowledgement of a version must see that version or a later
 * one; one that began after that and after the same reader has seen such a version must, whatever the bound.
 */
export function stalenessChecker({ boundMs }: StalenessOptions): StalenessChecker {
  return new AcknowledgedWrites(boundMs);
}

class AcknowledgedWrites implements StalenessChecker {
  readonly #boundMs: number;
  readonly #writes = new Map<string, Sight[]>();
  /** The latest version that each reader has seen of each key. */
  readonly #seen = new Map<string, Sight>();
  readonly #violations: StalenessViolation[] = [];

  constructor(boundMs: number) {
    this.#boundMs = boundMs;
  }

  wrote(key: string, version: number): void {
    const writes = this.#writes.get(key) ?? [];
    this.#writes.set(key, [...writes, { version, at: performance.now() }]);
  }

  read(key: string, version: number, startedAt: number, reader = ""): void {
    const place = `${reader} ${key}`;
    const seen = this.#seen.get(place);
    const due = this.#dueAt(key, startedAt, seen);
    if (due !== undefined && version < due.version) {
      this.#violations.push({ key, version, expected: due.version, lateMs: startedAt - due.at });
    }
    if (seen === undefined || version > seen.version) this.#seen.set(place, { version, at: performance.now() });
  }

  violations(): readonly StalenessViolation[] {
    return this.#violations;
  }

  /** The latest write that a read of that time has to see. */
  #dueAt(key: string, startedAt: number, seen: Sight | undefined): Sight | undefined {
    const wasSeen = ({ version }: Sight) => seen !== undefined && seen.at < startedAt && version <= seen.version;
    return (this.#writes.get(key) ?? [])
      .filter((write) => startedAt > write.at + (wasSeen(write) ? 0 : this.#boundMs))
      .reduce<Sight | undefined>(
        (latest, write) => (write.version > (latest?.version ?? -1) ? write : latest),
        undefined,
      );
  }
}
