import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { AppError } from "../errors/index.ts";

/** Gives a value with only what its schema declares. */
export type Projection = (value: unknown) => unknown;

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

// What they hide can't be seen without the value, or without another document.
const UNSEEN = ["$ref", "$dynamicRef", "if", "dependentSchemas", "prefixItems"];

const whole: Projection = (value) => value;

/**
 * Compiles the projection of a reply schema, once, at boot: properties that it does not declare are left out, at every
 * depth, unless it says `additionalProperties: true`. A union takes the first member that the value fits; a value that
 * fits none throws `internal`. Compiling throws `internal` on keywords that it can't see behind, as `$ref`.
 */
export function projection(schema: TSchema): Projection {
  return compile(schema as JsonSchema);
}

function compile(schema: JsonSchema): Projection {
  const unseen = UNSEEN.find((keyword) => keyword in schema);
  if (unseen !== undefined) {
    throw new AppError("internal", "a reply schema has a keyword that hides what it declares", { fields: { unseen } });
  }
  const { type, items, anyOf, oneOf = anyOf, allOf } = schema;
  if (oneOf !== undefined) return ofUnion(oneOf);
  if (allOf !== undefined) return ofIntersection(allOf);
  if (type === "object") return ofObject(schema);
  if (type !== "array" || items === undefined) return whole;
  return isList(items) ? ofTuple(items.map(compile)) : ofArray(compile(items));
}

function ofObject(schema: JsonSchema): Projection {
  const { properties = {}, patternProperties, additionalProperties = false } = schema;
  return patternProperties === undefined && additionalProperties === false ? ofFields(properties) : ofRecord(schema);
}

function ofFields(properties: Readonly<Record<string, JsonSchema>>): Projection {
  const fields = Object.entries(properties).map(([name, schema]) => ({ name, project: compile(schema) }));
  return (value) => {
    if (!isObject(value)) return value;
    const copy: Record<string, unknown> = {};
    for (const { name, project } of fields) {
      const field = value[name];
      if (field !== undefined) copy[name] = project(field);
    }
    return copy;
  };
}

/** An object whose names are data. */
function ofRecord({ properties = {}, patternProperties = {}, additionalProperties }: JsonSchema): Projection {
  const named = new Map(Object.entries(properties).map(([name, schema]) => [name, compile(schema)]));
  const rules = Object.entries(patternProperties).map(([pattern, schema]) => ({
    pattern: new RegExp(pattern, "u"),
    project: compile(schema),
  }));
  const rest = typeof additionalProperties === "object" ? compile(additionalProperties) : additionalProperties && whole;
  return (value) => {
    if (!isObject(value)) return value;
    // One of the names may be `__proto__`.
    const copy: Record<string, unknown> = Object.create(null);
    for (const [name, field] of Object.entries(value)) {
      const project = named.get(name) ?? rules.find(({ pattern }) => pattern.test(name))?.project ?? rest;
      if (project) copy[name] = project(field);
    }
    return copy;
  };
}

function ofArray(project: Projection): Projection {
  return (value) => (Array.isArray(value) ? value.map(project) : value);
}

function ofTuple(projections: readonly Projection[]): Projection {
  return (value) => (Array.isArray(value) ? projections.map((project, at) => project(value[at])) : value);
}

function ofIntersection(members: readonly JsonSchema[]): Projection {
  const projections = members.map(compile);
  return (value) => (isObject(value) ? Object.assign({}, ...projections.map((project) => project(value))) : value);
}

function ofUnion(members: readonly JsonSchema[]): Projection {
  const projections = members.map(compile);
  // Most unions are words or a nullable one, and need no look at the value.
  if (projections.every((project) => project === whole)) return whole;
  const variants = members.map((member, at) => ({
    accepts: Compile(member as TSchema),
    project: projections[at] ?? whole,
  }));
  return (value) => {
    const variant = variants.find(({ accepts }) => accepts.Check(value));
    if (variant === undefined) throw new AppError("internal", "a reply fits no member of its union");
    return variant.project(value);
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(items: JsonSchema | readonly JsonSchema[]): items is readonly JsonSchema[] {
  return Array.isArray(items);
}
