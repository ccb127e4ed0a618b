import { describeConfig } from "../config/index.ts";
import { AppError } from "../errors/index.ts";
import type { Logger } from "../log/index.ts";
import { runCommand } from "./command.ts";
import type { Component } from "./component.ts";
import { print } from "./exit.ts";

export interface VerbOptions {
  readonly log: Logger;
  /** What `loadConfig` gave, for `--print-config`. */
  readonly config?: object;
}

/** One thing the process can be told to do instead of serving; `run` gives the exit code. */
export interface Verb {
  readonly summary: string;
  run(): Promise<number>;
}

/** The verbs by name. Throws `internal` when two components add the same one. */
export function verbsOf(components: readonly Component[], { log, config }: VerbOptions): ReadonlyMap<string, Verb> {
  const verbs = new Map<string, Verb>();
  verbs.set("--help", { summary: "shows this", run: () => show(usageOf(verbs)) });
  if (config !== undefined) {
    const summary = "shows the settings that apply, secrets masked";
    verbs.set("--print-config", { summary, run: () => show(configTable(config)) });
  }
  for (const { name: component, commands } of components) {
    for (const [name, work] of Object.entries(commands ?? {})) {
      refuseTwice(verbs, name);
      verbs.set(name, { summary: `a command of ${component}`, run: () => runCommand({ name, work }, log) });
    }
  }
  return verbs;
}

function refuseTwice(verbs: ReadonlyMap<string, Verb>, verb: string): void {
  if (verbs.has(verb)) throw new AppError("internal", "two components add the same verb", { fields: { verb } });
}

/** What `--help` shows. */
export function usageOf(verbs: ReadonlyMap<string, Verb>): string {
  const rows = [...verbs].map(([name, { summary }]) => [name, summary] as const);
  return `usage: no argument to serve, or one of\n${table(rows)}`;
}

function configTable(config: object): string {
  return table(describeConfig(config).map(({ name, value, source }) => [`${name}=${value}`, source] as const));
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join("");
}

async function show(text: string): Promise<number> {
  await print(process.stdout, text);
  return 0;
}
