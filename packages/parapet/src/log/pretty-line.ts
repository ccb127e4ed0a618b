import { escapeSequence } from "./json-line.ts";

export interface PrettyOptions {
  /** Whether to colour it, for terminals that can. */
  readonly colour: boolean;
}

type Paint = (text: string, colour: number) => string;

// SGR codes of ECMA-48.
const GREY = 90;
const CYAN = 36;
const LEVEL_COLOURS: Readonly<Record<string, number>> = { debug: GREY, info: 32, warn: 33, error: 31 };

const HIDDEN = new Set(["time", "level", "msg", "service", "version", "error"]);

/**
 * Shows a log line to people: time of day, level, message, fields, and below them the error's stack. A line that is not
 * a log line stays as it is. Control characters stay escaped, so that no field can steer the terminal.
 */
export function prettyLine(jsonLine: string, { colour }: PrettyOptions): string {
  const line = parsed(jsonLine);
  if (line === undefined) return jsonLine;
  const paint: Paint = colour ? (text, code) => `\u001b[${code}m${text}\u001b[39m` : (text) => text;
  const level = printable(String(line.level));
  const head = [
    paint(timeOfDay(line.time), GREY),
    paint(level.toUpperCase().padEnd(5), LEVEL_COLOURS[level] ?? GREY),
    [printable(String(line.msg)), ...pairs(line, HIDDEN, paint)].join("  "),
  ].join(" ");
  const lines = [head, ...errorLines(line.error, paint).map((text) => `    ${text}`)];
  return lines.join("\n") + (jsonLine.endsWith("\n") ? "\n" : "");
}

function parsed(jsonLine: string): Record<string, unknown> | undefined {
  if (!jsonLine.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(jsonLine);
    return isObject(value) && "msg" in value && "level" in value ? value : undefined;
  } catch {
    return undefined;
  }
}

function timeOfDay(time: unknown): string {
  const date = new Date(String(time));
  if (Number.isNaN(date.getTime())) return printable(String(time));
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function pairs(fields: Record<string, unknown>, hidden: ReadonlySet<string>, paint: Paint): string[] {
  return Object.entries(fields)
    .filter(([key]) => !hidden.has(key))
    .map(([key, value]) => `${paint(`${printable(key)}=`, CYAN)}${shown(value)}`);
}

function shown(value: unknown): string {
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return printable(value);
  return printable(JSON.stringify(value));
}

const STACK_KEYS = new Set(["name", "message", "stack", "cause", "errors", "fields"]);

function errorLines(error: unknown, paint: Paint): string[] {
  if (error === undefined || error === null) return [];
  if (!isObject(error)) return [printable(String(error))];
  const [first, ...frames] = stackOf(error).split("\n").map(printable);
  const fields = isObject(error.fields) ? error.fields : {};
  return [
    [paint(first ?? "", 31), ...pairs(error, STACK_KEYS, paint), ...pairs(fields, new Set(), paint)].join("  "),
    ...frames.map((frame) => paint(frame, GREY)),
    ...marked("caused by ", errorLines(error.cause, paint)),
    ...(Array.isArray(error.errors) ? error.errors.flatMap((each) => marked("- ", errorLines(each, paint))) : []),
  ];
}

function stackOf(error: Record<string, unknown>): string {
  const { name = "Error", message, stack } = error;
  return String(stack ?? `${name}: ${message}`);
}

function marked(mark: string, [first, ...rest]: readonly string[]): string[] {
  return first === undefined ? [] : [`${mark}${first}`, ...rest];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, escapeSequence);
}
