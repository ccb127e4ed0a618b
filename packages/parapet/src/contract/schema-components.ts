import { AppError } from "../errors/index.ts";

/** A schema with nothing but JSON in it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Collects the schemas that have an `$id`, so that a document holds each of them once and points to it elsewhere. */
export class SchemaComponents {
  readonly #byId = new Map<string, JsonSchema>();

  /** Gives the schema with every schema in it that has an `$id` replaced by a reference. Throws `internal` when two share one. */
  refer(schema: object): JsonSchema {
    const copy = mapValues(schema, (value) => this.#referWithin(value));
    const { $id, ...rest } = copy;
    // A property may have the name, too.
    if (typeof $id !== "string") return copy;
    this.#add($id, rest);
    return { $ref: `#/components/schemas/${$id}` };
  }

  /** All that were found, by their ids in alphabetical order. */
  all(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#byId].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #referWithin(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#referWithin(item));
    return typeof value === "object" && value !== null ? this.refer(value) : value;
  }

  #add(id: string, schema: JsonSchema): void {
    const known = this.#byId.get(id);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new AppError("internal", "two different schemas have one $id", { fields: { id } });
    }
    this.#byId.set(id, schema);
  }
}

function mapValues(object: object, map: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
