import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { TLocalizedValidationError } from "typebox/error";
import type { Violation } from "../errors/index.ts";
import { closed } from "./closed.ts";
import { toDetail } from "./detail.ts";
import { steps } from "./pointer.ts";

/** A schema compiled once, at boot. */
export interface Validator {
  /** Tells whether the value keeps every rule; some 20 ns for a small object. */
  accepts(value: unknown): boolean;
  /** The broken rules, at most a handful; empty when there are none. */
  violations(value: unknown, where: Violation["in"]): Violation[];
}

/** Compiles the schema of a request part; objects refuse properties that they don't name (OWASP ASVS 5.0, 15.3.3). */
export function validator(schema: TSchema): Validator {
  return ofRules(closed(schema));
}

/** Compiles the schema of what comes from another service, which may be newer and say more: objects let through what they don't name. */
export function openValidator(schema: TSchema): Validator {
  return ofRules(schema);
}

function ofRules(rules: object): Validator {
  const compiled = Compile(rules as TSchema);
  return {
    accepts: (value) => compiled.Check(value),
    violations: (value, where) => compiled.Errors(value).flatMap((error) => toViolations(rules, error, where)),
  };
}

// An object may lack many fields; the answer names as many as help. The engine reports as many rules.
const MAX_NAMES = 8;
const MAX_NAME_LENGTH = 64;

function toViolations(schema: object, error: TLocalizedValidationError, where: Violation["in"]): Violation[] {
  const { keyword: rule, instancePath } = error;
  const whole = steps(instancePath);
  const each = (names: readonly PropertyKey[], detail: string): Violation[] =>
    names.slice(0, MAX_NAMES).map((name) => ({ in: where, field: toField([...whole, String(name)]), rule, detail }));
  switch (rule) {
    case "required":
      return each(error.params.requiredProperties, "is required");
    case "unevaluatedProperties":
      return each(error.params.unevaluatedProperties, UNKNOWN);
    // Each unknown property is reported by itself, and then all of them once more.
    case "boolean":
      return [{ in: where, field: toField(whole), rule: "additionalProperties", detail: UNKNOWN }];
    case "additionalProperties":
      return [];
    default:
      return [{ in: where, field: toField(whole), rule, detail: toDetail(schema, error) }];
  }
}

const UNKNOWN = "is not a known field";

/** A path as people write it: `items[3].price`. The names may be the caller's, so they are cut where no name goes on. */
function toField(path: readonly string[]): string {
  return path.reduce((field, step) => {
    if (/^\d+$/.test(step)) return `${field}[${step}]`;
    const name = step.length > MAX_NAME_LENGTH ? `${step.slice(0, MAX_NAME_LENGTH)}…` : step;
    return field === "" ? name : `${field}.${name}`;
  }, "");
}
