import { AppError } from "../errors/index.ts";
import type { Field } from "./field.ts";

/** What a definition is made of, by the names the configuration will have: fields, other rooms' definitions, groups. */
export interface ConfigShape {
  readonly [name: string]: Field<unknown> | ConfigDefinition | ConfigShape;
}

/** The settings of a service or of a room, and the rules among them. Made by `defineConfig`. */
export interface ConfigDefinition<Shape extends ConfigShape = ConfigShape> {
  readonly kind: "definition";
  readonly shape: Shape;
  /** The broken rules, a sentence each. */
  check(config: ConfigValues<Shape>): readonly string[];
}

/** The configuration that a definition gives. */
export type ConfigOf<Definition extends ConfigDefinition> = ConfigValues<Definition["shape"]>;

export type ConfigValues<Shape extends ConfigShape> = { readonly [Name in keyof Shape]: ConfigValue<Shape[Name]> };

type ConfigValue<Entry> =
  Entry extends Field<infer Value>
    ? Value
    : Entry extends ConfigDefinition
      ? ConfigOf<Entry>
      : Entry extends ConfigShape
        ? ConfigValues<Entry>
        : never;

/**
 * Defines settings. `check` holds rules between them and gives a sentence for each that is broken, naming the
 * variables; it runs once all of these settings are right by themselves. Throws `internal` when two settings read one variable.
 */
export function defineConfig<Shape extends ConfigShape>(
  shape: Shape,
  check: (config: ConfigValues<Shape>) => readonly string[] = () => [],
): ConfigDefinition<Shape> {
  const variables = fieldsOf(shape).map(({ variable }) => variable);
  const twice = variables.find((variable, index) => variables.indexOf(variable) !== index);
  if (twice !== undefined) {
    throw new AppError("internal", "two settings read the same variable", { fields: { variable: twice } });
  }
  return { kind: "definition", shape, check };
}

/** All fields of a shape in their order, also those within its groups. */
export function fieldsOf(shape: ConfigShape): readonly Field<unknown>[] {
  return Object.values(shape).flatMap((entry) => (isField(entry) ? [entry] : fieldsOf(shapeOf(entry))));
}

/** Tells a field from a group. */
export function isField(entry: ConfigShape[string]): entry is Field<unknown> {
  return entry.kind === "field";
}

/** The shape of a group, whether it came as a definition or as it is. */
export function shapeOf(group: ConfigDefinition | ConfigShape): ConfigShape {
  return isDefinition(group) ? group.shape : group;
}

/** Tells a definition, which may have rules, from a plain group. */
export function isDefinition(group: ConfigDefinition | ConfigShape): group is ConfigDefinition {
  return group.kind === "definition";
}
