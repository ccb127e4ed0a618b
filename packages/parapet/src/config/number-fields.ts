import { type Field, type FieldOptions, makeField, type Optional } from "./field.ts";

export interface NumberOptions extends FieldOptions<number> {
  readonly min?: number;
  readonly max?: number;
}

// Node's timers hold at most a signed 32-bit number of milliseconds and fire at once beyond it.
const MAX_DURATION_MS = 2 ** 31 - 1;
const MAX_PORT = 65_535;

/** A whole number in plain digits: no `8080abc`, `1e3`, `+1`, `007`, `1_000` or white space. */
export function integer(variable: string, options: NumberOptions): Field<number>;
export function integer(variable: string, options: Optional<NumberOptions>): Field<number | undefined>;
export function integer(variable: string, options: NumberOptions & { readonly optional?: true }) {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  return makeField(variable, options, {
    accepts: `a whole number ${rangeText(min, max)}`.trim(),
    example: String(min === Number.MIN_SAFE_INTEGER ? Math.min(1, max) : min),
    parse: (text) => wholeNumber(text, min, max),
  });
}

/** A TCP port, 0 to 65535; 0 lets the system choose. */
export function port(variable: string, options: FieldOptions<number>): Field<number>;
export function port(variable: string, options: Optional<FieldOptions<number>>): Field<number | undefined>;
export function port(variable: string, options: FieldOptions<number> & { readonly optional?: true }) {
  return makeField(variable, options, {
    accepts: `a port, a whole number from 0 to ${MAX_PORT}`,
    example: "8080",
    parse: (text) => wholeNumber(text, 0, MAX_PORT),
  });
}

/** A duration as a whole number of milliseconds, 0 to 2147483647 unless told. */
export function durationMs(variable: string, options: NumberOptions): Field<number>;
export function durationMs(variable: string, options: Optional<NumberOptions>): Field<number | undefined>;
export function durationMs(variable: string, options: NumberOptions & { readonly optional?: true }) {
  const { min = 0, max = MAX_DURATION_MS } = options;
  return makeField(variable, options, {
    accepts: `a whole number of milliseconds ${rangeText(min, max)}`,
    example: String(Math.min(Math.max(1000, min), max)),
    parse: (text) => wholeNumber(text, min, max),
  });
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  if (!/^(?:0|-?[1-9]\d{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
}

function rangeText(min: number, max: number): string {
  const from = min === Number.MIN_SAFE_INTEGER ? "" : `from ${min}`;
  const to = max === Number.MAX_SAFE_INTEGER ? "" : `to ${max}`;
  if (from !== "" && to !== "") return `${from} ${to}`;
  return from === "" ? to.replace("to", "up to") : `${from} on`;
}
