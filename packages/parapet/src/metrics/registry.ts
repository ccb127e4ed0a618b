import { type Metric, Registry as PromRegistry } from "prom-client";
import { AppError } from "../errors/index.ts";
import { Family, type Shape } from "./family.ts";
import { Buckets, DEFAULT_BUCKETS, HistogramSeries } from "./histogram.ts";
import type { Labeled } from "./labeled.ts";
import {
  type Counter,
  CounterSeries,
  type Gauge,
  GaugeSeries,
  type Histogram,
  type Read,
  type Series,
} from "./series.ts";
import { SeriesBudget } from "./series-budget.ts";

export interface MetricOptions {
  readonly name: string;
  /** One sentence for people; promtool asks for it. */
  readonly help: string;
}

export interface ReadOptions {
  /** Where the value comes from, asked at each scrape, instead of being counted here. */
  readonly read?: Read;
}

export interface BucketOptions {
  /** The buckets' upper bounds, growing, in the unit of the name; by default for durations in seconds, 1 ms to 10 s. */
  readonly buckets?: readonly number[];
}

export interface LabelOptions<L extends string> {
  readonly labels: readonly L[];
}

/**
 * Makes metrics and exposes them. Asking again for a name with the same shape (kind, labels, buckets) gives the same
 * metric; with another shape, or a name that `promtool check metrics` would complain about, throws `internal`.
 */
export interface Registry {
  counter<L extends string>(options: MetricOptions & LabelOptions<L>): Labeled<L, Counter>;
  counter(options: MetricOptions & ReadOptions): Counter;
  gauge<L extends string>(options: MetricOptions & LabelOptions<L>): Labeled<L, Gauge>;
  gauge(options: MetricOptions & ReadOptions): Gauge;
  histogram<L extends string>(options: MetricOptions & LabelOptions<L> & BucketOptions): Labeled<L, Histogram>;
  histogram(options: MetricOptions & BucketOptions): Histogram;
  /** The exposition, in the format that `contentType` names. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** A registry of its own, for tests; a service uses the process-wide `metrics`. */
export function createRegistry(): Registry {
  return new PromClientRegistry();
}

type AnyOptions = MetricOptions & ReadOptions & BucketOptions & Partial<LabelOptions<string>>;

class PromClientRegistry implements Registry {
  readonly #exposition = new PromRegistry();
  readonly #families = new Map<string, Family<Series>>();
  readonly #budget = new SeriesBudget();

  constructor() {
    this.counter({
      name: "metrics_series_dropped_total",
      help: "Lookups of a new series that went to __overflow__: the registry was full, or a label value unfit.",
      read: () => this.#budget.dropped,
    });
  }

  get contentType(): string {
    return this.#exposition.contentType;
  }

  text(): Promise<string> {
    return this.#exposition.metrics();
  }

  counter<L extends string>(options: MetricOptions & LabelOptions<L>): Labeled<L, Counter>;
  counter(options: MetricOptions & ReadOptions): Counter;
  counter(options: AnyOptions): Counter | Labeled<string, Counter> {
    const { tree } = this.#family({ ...options, kind: "counter" }, () => new CounterSeries());
    if (options.labels !== undefined) return tree;
    const series = tree.with({});
    if (options.read !== undefined) series.readFrom(options.read);
    return series;
  }

  gauge<L extends string>(options: MetricOptions & LabelOptions<L>): Labeled<L, Gauge>;
  gauge(options: MetricOptions & ReadOptions): Gauge;
  gauge(options: AnyOptions): Gauge | Labeled<string, Gauge> {
    const { tree } = this.#family({ ...options, kind: "gauge" }, () => new GaugeSeries());
    if (options.labels !== undefined) return tree;
    const series = tree.with({});
    if (options.read !== undefined) series.readFrom(options.read);
    return series;
  }

  histogram<L extends string>(options: MetricOptions & LabelOptions<L> & BucketOptions): Labeled<L, Histogram>;
  histogram(options: MetricOptions & BucketOptions): Histogram;
  histogram(options: AnyOptions): Histogram | Labeled<string, Histogram> {
    const buckets = new Buckets(options.buckets ?? DEFAULT_BUCKETS);
    const shape = { ...options, kind: "histogram", buckets: [...buckets.bounds] } as const;
    const { tree } = this.#family(shape, () => new HistogramSeries(buckets));
    return options.labels === undefined ? tree.with({}) : tree;
  }

  #family<S extends Series>(shape: Shape, create: () => S): Family<S> {
    const known = this.#families.get(shape.name);
    const family = new Family(shape, this.#budget, create);
    if (known === undefined) return this.#register(family);
    if (known.shape !== family.shape) {
      throw new AppError("internal", "a metric of this name exists in another shape", {
        fields: { metric: shape.name },
      });
    }
    // The shape says the kind, and the kind says which series it is made of.
    return known as Family<S>;
  }

  #register<S extends Series>(family: Family<S>): Family<S> {
    this.#families.set(family.name, family);
    // prom-client declares its own classes here and asks of a metric only its name and `get()`.
    this.#exposition.registerMetric(family as unknown as Metric);
    return family;
  }
}

/** The registry of this process, which its server exposes. */
export const metrics: Registry = createRegistry();
