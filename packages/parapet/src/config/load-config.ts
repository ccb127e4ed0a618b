import { toAppError } from "../errors/index.ts";
import type { ConfigDefinition, ConfigShape, ConfigValues } from "./definition.ts";
import { type Environment, parseConfig } from "./parse-config.ts";

// `EX_CONFIG` of BSD's sysexits.h: something is wrong with the configuration.
const EX_CONFIG = 78;

/** Reads the configuration as `parseConfig` does. A problem ends the process: all of them on stderr, exit code 78. */
export function loadConfig<Shape extends ConfigShape>(
  definition: ConfigDefinition<Shape>,
  env: Environment,
): ConfigValues<Shape> {
  try {
    return parseConfig(definition, env);
  } catch (thrown) {
    process.stderr.write(`${toAppError(thrown).message}\n`);
    process.exit(EX_CONFIG);
  }
}
