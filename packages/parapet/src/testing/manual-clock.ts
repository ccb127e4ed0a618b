/** A clock that moves only when told. */
export interface ManualClock {
  /** Pass it where a service takes its `now`. */
  readonly now: () => Date;
  advance(ms: number): void;
}

/** Makes a clock that stands at `start`. */
export function manualClock(start: Date = new Date("2030-01-01T00:00:00Z")): ManualClock {
  let timeMs = start.getTime();
  return {
    now: () => new Date(timeMs),
    advance: (ms) => {
      timeMs += ms;
    },
  };
}
