import { scrubText } from "../log/index.ts";
import type { Field } from "./field.ts";

const MAX_SHOWN = 40;

/** Says that a required variable is missing, what it takes and an example. */
export function missing(field: Field<unknown>): string {
  return withExpectation(`${field.variable} is not set`, field);
}

/** Says what kind of value a variable holds instead of what it takes. A secret's value is never shown. */
export function notAccepted(field: Field<unknown>, value: string): string {
  const shown = field.secret ? " (not shown)" : `: ${shortened(value)}`;
  return withExpectation(`${field.variable} is ${kindOf(value)}${shown}`, field);
}

/** All problems in one message, an empty line between them. */
export function problemReport(problems: readonly string[]): string {
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return [`the configuration has ${count}`, ...problems].join("\n\n");
}

function withExpectation(finding: string, { variable, accepts, example }: Field<unknown>): string {
  return `${finding}\n  expected: ${accepts}\n  example:  ${variable}=${example}`;
}

function kindOf(value: string): string {
  if (value !== value.trim()) return "a value with white space around it";
  if (/^-?\d+$/.test(value)) return "a whole number";
  if (Number.isFinite(Number(value))) return "a number";
  return value.includes("://") ? "a URL" : "a text";
}

function shortened(value: string): string {
  const harmless = scrubText(value);
  return JSON.stringify(harmless.length > MAX_SHOWN ? `${harmless.slice(0, MAX_SHOWN)}...` : harmless);
}
