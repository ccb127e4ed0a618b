/** The part of JSON Schema that examples are made from. */
interface Schema {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/**
 * A value that the schema probably accepts: its own example, or a plain one with the required properties. Emails, by
 * their format or their property's name, carry `unique`, because they seldom may repeat.
 */
export function exampleOf(schema: Schema, unique: string, name = ""): unknown {
  if (schema.format === "email" || name === "email") return `ada-${unique}@example.com`;
  const given = schema.examples?.[0] ?? schema.default;
  if (given !== undefined) return given;
  switch (schema.type) {
    case "object":
      return Object.fromEntries((schema.required ?? []).map((name) => [name, propertyExample(schema, name, unique)]));
    case "array":
      return [];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    default:
      return "Ada Lovelace";
  }
}

function propertyExample({ properties }: Schema, name: string, unique: string): unknown {
  return exampleOf(properties?.[name] ?? {}, unique, name);
}
