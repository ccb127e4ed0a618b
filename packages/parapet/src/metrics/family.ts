import { LabelTree } from "./labeled.ts";
import { checkNames, type MetricKind } from "./names.ts";
import type { Sample, Series } from "./series.ts";
import type { SeriesBudget } from "./series-budget.ts";

/** What makes two registrations of a name the same metric, and the help. */
export interface Shape {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labels?: readonly string[];
  readonly buckets?: readonly number[];
}

/** A metric with all its series, in the form in which prom-client's registry exposes metrics. */
export class Family<S extends Series> {
  readonly name: string;
  readonly help: string;
  readonly type: MetricKind;
  readonly shape: string;
  /** The series by their labels; a metric without labels has the one of `{}`. */
  readonly tree: LabelTree<string, S>;

  /** Throws `internal` when the names are not clean. */
  constructor(shape: Shape, budget: SeriesBudget, create: () => S) {
    checkNames(shape.kind, shape.name, shape.help, shape.labels ?? []);
    this.name = shape.name;
    this.help = shape.help;
    this.type = shape.kind;
    this.shape = JSON.stringify([shape.kind, shape.labels, shape.buckets]);
    this.tree = new LabelTree(shape.labels ?? [], budget, create);
  }

  /** Called by prom-client at each scrape. */
  get(): { name: string; help: string; type: string; values: readonly Sample[] } {
    const values: Sample[] = [];
    for (const { labels, series } of this.tree.entries()) {
      for (const sample of series.samples(this.name, labels)) values.push(sample);
    }
    return { name: this.name, help: this.help, type: this.type, values };
  }
}
