import { AppError } from "../errors/index.ts";
import { registerSecret } from "../log/index.ts";
import {
  type ConfigDefinition,
  type ConfigShape,
  type ConfigValues,
  fieldsOf,
  isDefinition,
  isField,
  shapeOf,
} from "./definition.ts";
import { remember } from "./describe-config.ts";
import type { Field } from "./field.ts";
import { missing, notAccepted, problemReport } from "./problem.ts";

/** The environment: `process.env`, or what a test makes up. A variable that is set to the empty string is not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a configuration, deeply frozen, from the environment; secrets are registered with the log. Throws `invalid`
 * with every problem in its message: which variable, what it holds, what is expected, an example; never a secret.
 */
export function parseConfig<Shape extends ConfigShape>(
  definition: ConfigDefinition<Shape>,
  env: Environment,
): ConfigValues<Shape> {
  // Before anything can complain, so that a secret that was pasted into another variable is masked there.
  for (const { variable, secret } of fieldsOf(definition.shape)) {
    if (secret) registerSecret(env[variable] ?? "");
  }
  const problems: string[] = [];
  const config = readGroup(definition, env, problems);
  if (problems.length > 0) throw new AppError("invalid", problemReport(problems));
  remember(config, definition, env);
  return config as ConfigValues<Shape>;
}

function readGroup(group: ConfigDefinition | ConfigShape, env: Environment, problems: string[]): object {
  const before = problems.length;
  const entries = Object.entries(shapeOf(group)).map(([name, entry]) => [
    name,
    isField(entry) ? readField(entry, env[entry.variable] ?? "", problems) : readGroup(entry, env, problems),
  ]);
  const config = Object.freeze(Object.fromEntries(entries));
  // The rules between settings mean something only when each setting is right.
  if (isDefinition(group) && problems.length === before) problems.push(...group.check(config));
  return config;
}

function readField(field: Field<unknown>, value: string, problems: string[]): unknown {
  const read = value === "" ? field.fallback : field.parse(value);
  if (read === undefined) problems.push(value === "" ? missing(field) : notAccepted(field, value));
  return Array.isArray(read?.value) ? Object.freeze([...read.value]) : read?.value;
}
