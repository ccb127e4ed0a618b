import { AppError } from "../errors/index.ts";

export type LabelValues<L extends string = string> = Readonly<Record<L, string>>;

/** One line of the exposition as prom-client takes it; it formats `sharedLabels` once and caches them by identity. */
export interface Sample {
  readonly metricName?: string;
  readonly labels?: LabelValues;
  readonly sharedLabels: LabelValues;
  readonly value: number;
}

/** What the scrape asks of every series. */
export interface Series {
  samples(name: string, labels: LabelValues): readonly Sample[];
}

/** Gives the value at the moment of a scrape, without waiting; `undefined` leaves the series out of that scrape. */
export type Read = () => number | undefined;

/** A number that only grows. */
export interface Counter {
  /** Adds `n`, 1 by default. Throws `internal` when `n` is negative or not a number. */
  inc(n?: number): void;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number): void;
  inc(n?: number): void;
  dec(n?: number): void;
  /** Takes the value from `read` at each scrape until the returned function is called; the latest reader wins. */
  readFrom(read: Read): () => void;
}

/** A distribution, counted in buckets. */
export interface Histogram {
  /** Counts one value, in the base unit of the metric's name: seconds, bytes. `NaN` is not counted. */
  observe(value: number): void;
}

export class CounterSeries implements Counter, Series {
  #value = 0;
  #read: Read | undefined;

  inc(n = 1): void {
    if (!(n >= 0)) throw new AppError("internal", "a counter only grows", { fields: { n } });
    this.#value += n;
  }

  readFrom(read: Read): void {
    this.#read = read;
  }

  samples(_name: string, sharedLabels: LabelValues): readonly Sample[] {
    return sampleOf(this.#read === undefined ? this.#value : valueFrom(this.#read), sharedLabels);
  }
}

export class GaugeSeries implements Gauge, Series {
  #value = 0;
  #read: Read | undefined;

  set(value: number): void {
    this.#value = value;
  }

  inc(n = 1): void {
    this.#value += n;
  }

  dec(n = 1): void {
    this.#value -= n;
  }

  readFrom(read: Read): () => void {
    this.#read = read;
    return () => {
      if (this.#read === read) this.#read = undefined;
    };
  }

  samples(_name: string, sharedLabels: LabelValues): readonly Sample[] {
    return sampleOf(this.#read === undefined ? this.#value : valueFrom(this.#read), sharedLabels);
  }
}

function sampleOf(value: number | undefined, sharedLabels: LabelValues): readonly Sample[] {
  return value === undefined ? [] : [{ sharedLabels, value }];
}

function valueFrom(read: Read): number | undefined {
  try {
    return read();
  } catch {
    // One broken reader must not take the other metrics with it; the gap in its own series is what shows.
    return undefined;
  }
}
