/** So many failures in a row are no accident, however few the calls. */
const MAX_CONSECUTIVE = 5;
/** Half of the calls of the last second, once there are enough of them to speak of a half. */
const MAX_FAILED_RATIO = 0.5;
const MIN_CALLS = 20;
const WINDOW_MS = 1000;
const SLICES = 10;
const SLICE_MS = WINDOW_MS / SLICES;

interface Slice {
  /** Which tenth of a second, counted from the clock's beginning. */
  number: number;
  calls: number;
  failures: number;
}

/** How the calls of the last second went. Times are milliseconds of a monotonic clock and never go back. */
export class FailureWindow {
  readonly #slices: readonly Slice[] = Array.from({ length: SLICES }, () => ({ number: -1, calls: 0, failures: 0 }));
  #consecutive = 0;

  success(atMs: number): void {
    this.#sliceAt(atMs).calls++;
    this.#consecutive = 0;
  }

  failure(atMs: number): void {
    const slice = this.#sliceAt(atMs);
    slice.calls++;
    slice.failures++;
    this.#consecutive++;
  }

  /** Five failures in a row, or half of at least twenty calls within a second. */
  isFailing(atMs: number): boolean {
    if (this.#consecutive >= MAX_CONSECUTIVE) return true;
    const oldest = numberAt(atMs) - SLICES;
    const recent = this.#slices.filter(({ number }) => number > oldest);
    const calls = recent.reduce((sum, slice) => sum + slice.calls, 0);
    const failures = recent.reduce((sum, slice) => sum + slice.failures, 0);
    return calls >= MIN_CALLS && failures >= calls * MAX_FAILED_RATIO;
  }

  #sliceAt(atMs: number): Slice {
    const number = numberAt(atMs);
    const slice = this.#slices[number % SLICES] as Slice;
    if (slice.number !== number) Object.assign(slice, { number, calls: 0, failures: 0 });
    return slice;
  }
}

function numberAt(atMs: number): number {
  return Math.floor(atMs / SLICE_MS);
}
