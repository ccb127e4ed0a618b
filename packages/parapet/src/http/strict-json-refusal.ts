import { AppError } from "../errors/index.ts";

const PLAIN_KEY = /^[\w$-]{1,64}$/;

/** What is wrong with a body, and where. */
export interface JsonFault {
  /** Offset of the offending character. */
  readonly at: number;
  /** The keys and indexes that lead there; empty for the whole body. */
  readonly path: readonly (string | number)[];
  readonly rule: string;
  readonly detail: string;
}

/** Makes the `invalid` error of a refused body: it says where by line, column and field, and repeats no value. */
export function refusedJson(text: string, { at, path, rule, detail }: JsonFault): AppError {
  return new AppError("invalid", "the body is not acceptable JSON", {
    violations: [{ in: "body", field: fieldName(path), rule, detail: `${place(text, at)}: ${detail}` }],
  });
}

/** The path as violations write it, or nothing when a key in it does not look like a name: that could be anything. */
function fieldName(path: readonly (string | number)[]): string {
  const isPlain = path.every((part) => typeof part === "number" || PLAIN_KEY.test(part));
  if (!isPlain) return "";
  return path.reduce<string>((name, part) => {
    if (typeof part === "number") return `${name}[${part}]`;
    return name === "" ? part : `${name}.${part}`;
  }, "");
}

function place(text: string, at: number): string {
  let line = 1;
  let lineStart = 0;
  for (let end = text.indexOf("\n"); end !== -1 && end < at; end = text.indexOf("\n", lineStart)) {
    line++;
    lineStart = end + 1;
  }
  return `line ${line}, column ${at - lineStart + 1}`;
}
