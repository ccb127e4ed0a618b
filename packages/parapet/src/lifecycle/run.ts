import type { Component } from "./component.ts";
import { exit, print } from "./exit.ts";
import { type ServeOptions, serve } from "./serve.ts";
import { usageOf, type VerbOptions, verbsOf } from "./verbs.ts";

export interface RunOptions extends ServeOptions, VerbOptions {}

// sysexits.h: the command was used wrongly.
const EX_USAGE = 64;

/**
 * Is the process: answers the verb it was called with, or without one starts the components left to right, serves until a
 * signal or a failure, stops them right to left, and exits. Exit codes: 0 done, 1 failed or forced, 64 wrong usage,
 * 130 and 143 a command ended by SIGINT and SIGTERM.
 */
export async function run(components: readonly Component[], options: RunOptions): Promise<never> {
  const args = process.argv.slice(2);
  if (args.length === 0) return serve(components, options);
  const verbs = verbsOf(components, options);
  const verb = args.length === 1 ? verbs.get(args.join()) : undefined;
  if (verb !== undefined) return exit(await verb.run());
  await print(process.stderr, `unknown arguments: ${args.join(" ")}\n\n${usageOf(verbs)}`);
  return exit(EX_USAGE);
}
