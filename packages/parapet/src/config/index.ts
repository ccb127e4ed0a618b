export {
  type ConfigDefinition,
  type ConfigOf,
  type ConfigShape,
  type ConfigValues,
  defineConfig,
} from "./definition.ts";
export { type ConfigDocRow, type ConfigRow, describeConfig, documentConfig } from "./describe-config.ts";
export type { Field, FieldOptions, Optional } from "./field.ts";
export { loadConfig } from "./load-config.ts";
export { durationMs, integer, type NumberOptions, port } from "./number-fields.ts";
export { type Environment, parseConfig } from "./parse-config.ts";
export { flag, list, oneOf, type TextOptions, text, type UrlOptions, url } from "./text-fields.ts";
