import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestScope } from "parapet/testing";

/** The wall clock of a process, which a test may set. Timers and `performance.now()` go on as they were. */
export interface ShiftedClock {
  /** What makes a Node process go by it. */
  readonly env: { readonly NODE_OPTIONS: string };
  /** From now on it is so many milliseconds ahead of the machine's, or behind. */
  shift(aheadMs: number): void;
}

/** Makes a clock that goes with the machine's. */
export function shiftedClock(t: TestScope): ShiftedClock {
  const folder = mkdtempSync(join(tmpdir(), "parapet-clock-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "ahead-ms");
  const shift = (aheadMs: number) => {
    // At once for who reads it: never half of it.
    writeFileSync(`${file}.next`, String(aheadMs));
    renameSync(`${file}.next`, file);
  };
  shift(0);
  return { env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(shiftingBy(file))}` }, shift };
}

/** A module that makes `Date` tell the time of the clock. */
function shiftingBy(file: string): string {
  return `
    import { readFileSync } from "node:fs";
    const Unshifted = Date;
    const now = () => Unshifted.now() + Number(readFileSync(${JSON.stringify(file)}, "utf8"));
    globalThis.Date = class Date extends Unshifted {
      constructor(...parts) {
        super(...(parts.length === 0 ? [now()] : parts));
      }
      static now() {
        return now();
      }
    };`;
}
