import { AppError } from "../errors/index.ts";
import { MASK, scrubText } from "../log/index.ts";
import { type ConfigDefinition, fieldsOf } from "./definition.ts";
import { type Field, settingText } from "./field.ts";

/** A setting that applies. */
export interface ConfigRow {
  readonly name: string;
  /** As one would set it, secrets masked; empty when it is not set and has no default. */
  readonly value: string;
  readonly source: "environment" | "default";
}

/** A setting as documents show it. */
export interface ConfigDocRow {
  readonly variable: string;
  readonly type: string;
  /** Empty when it has none. */
  readonly default: string;
  readonly required: boolean;
  readonly meaning: string;
}

const described = new WeakMap<object, readonly ConfigRow[]>();

/** The settings of a configuration and where they came from. Throws `internal` for one not made by `parseConfig`. */
export function describeConfig(config: object): readonly ConfigRow[] {
  const rows = described.get(config);
  if (rows === undefined) throw new AppError("internal", "a configuration must come from parapet/config");
  return rows;
}

/** The settings that a definition has, for the table in a README, which a test can hold against this. */
export function documentConfig(definition: ConfigDefinition): readonly ConfigDocRow[] {
  return fieldsOf(definition.shape).map((field) => ({
    variable: field.variable,
    type: field.accepts,
    default: shownValue(field, settingText(field.fallback?.value)),
    required: field.fallback === undefined,
    meaning: field.description,
  }));
}

/** Keeps what `describeConfig` tells beside the configuration, which itself is nothing but the values. */
export function remember(
  config: object,
  definition: ConfigDefinition,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const rows = fieldsOf(definition.shape).map((field): ConfigRow => {
    const set = env[field.variable] ?? "";
    const value = shownValue(field, set === "" ? settingText(field.fallback?.value) : set);
    return { name: field.variable, value, source: set === "" ? "default" : "environment" };
  });
  described.set(config, rows);
}

function shownValue(field: Field<unknown>, value: string): string {
  if (value === "") return "";
  if (!field.secret) return scrubText(value);
  return URL.canParse(value) ? shownUrl(new URL(value)) : MASK;
}

/** Host and database. On the web the path may be the secret, as in a webhook's; elsewhere it names a database. */
function shownUrl({ protocol, username, password, host, pathname, search }: URL): string {
  const credentials = username === "" && password === "" ? "" : `${MASK}@`;
  const path = protocol.startsWith("http") && pathname !== "/" ? `/${MASK}` : pathname;
  return `${protocol}//${credentials}${host}${path}${search === "" ? "" : `?${MASK}`}`;
}
