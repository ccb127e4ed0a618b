import { AppError } from "../errors/index.ts";
import type { Histogram, LabelValues, Sample, Series } from "./series.ts";

/** Seconds: the default buckets of Prometheus' client_golang, and 1 ms and 2.5 ms below them, where healthy replies are. */
export const DEFAULT_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** The upper bounds of a histogram's buckets with their labels, made once and shared by all its series. */
export class Buckets {
  readonly bounds: Float64Array;
  readonly #labels: readonly LabelValues[];

  /** Throws `internal` unless the bounds are finite and grow. */
  constructor(bounds: readonly number[]) {
    const grows = bounds.every(
      (bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? Number.NEGATIVE_INFINITY),
    );
    if (bounds.length === 0 || !grows)
      throw new AppError("internal", "histogram buckets must grow", { fields: { bounds } });
    this.bounds = Float64Array.from(bounds);
    this.#labels = [...bounds.map((bound) => ({ le: String(bound) })), { le: "+Inf" }];
  }

  samples(name: string, sharedLabels: LabelValues, counts: Float64Array, sum: number): readonly Sample[] {
    const samples: Sample[] = [];
    let value = 0;
    for (const [i, labels] of this.#labels.entries()) {
      value += counts[i] ?? 0;
      samples.push({ metricName: `${name}_bucket`, labels, sharedLabels, value });
    }
    samples.push({ metricName: `${name}_sum`, sharedLabels, value: sum });
    samples.push({ metricName: `${name}_count`, sharedLabels, value });
    return samples;
  }
}

export class HistogramSeries implements Histogram, Series {
  readonly #buckets: Buckets;
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
    this.#bounds = buckets.bounds;
    // The last one counts what is above every bound.
    this.#counts = new Float64Array(buckets.bounds.length + 1);
  }

  observe(value: number): void {
    if (Number.isNaN(value)) return;
    const bounds = this.#bounds;
    let i = 0;
    // An index loop: half the time of `for of` here.
    while (i < bounds.length && value > (bounds[i] ?? 0)) i++;
    this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    this.#sum += value;
  }

  samples(name: string, sharedLabels: LabelValues): readonly Sample[] {
    return this.#buckets.samples(name, sharedLabels, this.#counts, this.#sum);
  }
}
