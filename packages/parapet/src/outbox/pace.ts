import { performance as host } from "node:perf_hooks";

/** What a pace is kept by. */
export interface PaceClock {
  /** In milliseconds, from anywhere. */
  now(): number;
  /** The share of the time since the last call in which the event loop was at work, from 0 to 1. */
  utilization(): number;
}

/**
 * How busy the loop may be, with requests and all else, for the relay to go faster: what arrives waits the longer the nearer it is to 1.
 * (M/M/1: ρ / (1 - ρ) of its own time.)
 */
const BUSIEST = 0.5;
/** In events a second. */
const SLOWEST = 500;
const FIRST = 1000;
const FASTEST = 20_000;
/** So much faster than events are left, so that a backlog becomes shorter also in a process that is never idle. */
const AHEAD = 2;
const LOOK_EVERY_MS = 50;
const FASTER = 1.15;
const SLOWER = 0.7;
/** What may be taken at once after a pause, in time at the present pace: the few events of a quiet moment wait for nothing. */
const BURST_MS = 20;

/**
 * How many events a relay takes: as many as leave the event loop time for requests. It goes faster bit by bit while the loop has time, and
 * slower at once when it has not, but always faster than the process leaves events itself. (Additive increase, multiplicative decrease in
 * spirit: Chiu and Jain, 1989; both are factors here, since the range is wide.)
 */
export class Pace {
  readonly #clock: PaceClock;
  #perSecond = FIRST;
  #credit = 0;
  #creditedAt: number;
  #lookedAt: number;
  #left = 0;
  #wasTooSlow = false;

  constructor(clock: PaceClock = processClock()) {
    this.#clock = clock;
    this.#creditedAt = clock.now();
    this.#lookedAt = this.#creditedAt;
  }

  /** How many events may be taken now. */
  get room(): number {
    const now = this.#clock.now();
    if (now - this.#lookedAt >= LOOK_EVERY_MS) this.#look(now);
    const most = (this.#perSecond * BURST_MS) / 1000;
    this.#credit = Math.min(most, this.#credit + (this.#perSecond * (now - this.#creditedAt)) / 1000);
    this.#creditedAt = now;
    return Math.floor(this.#credit);
  }

  /** So many were taken. */
  took(count: number): void {
    this.#credit -= count;
    if (this.#credit < 1) this.#wasTooSlow = true;
  }

  /** Transactions of this process have left so many more. */
  left(count: number): void {
    this.#left += count;
  }

  #look(now: number): void {
    const leftPerSecond = (this.#left * 1000) / (now - this.#lookedAt);
    const slowest = Math.max(SLOWEST, AHEAD * leftPerSecond);
    if (this.#clock.utilization() > BUSIEST) this.#perSecond *= SLOWER;
    else if (this.#wasTooSlow) this.#perSecond *= FASTER;
    // A pace that nobody needed says nothing of what the loop bears.
    else this.#perSecond = Math.min(FIRST, this.#perSecond);
    this.#perSecond = Math.min(FASTEST, Math.max(slowest, this.#perSecond));
    this.#lookedAt = now;
    this.#left = 0;
    this.#wasTooSlow = false;
  }
}

function processClock(): PaceClock {
  let last = host.eventLoopUtilization();
  return {
    now: () => host.now(),
    utilization: () => {
      const current = host.eventLoopUtilization();
      const { utilization } = host.eventLoopUtilization(current, last);
      last = current;
      return utilization;
    },
  };
}
