import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One `sql` template of a source file. */
export interface SqlTemplate {
  /** File and line, for people. */
  readonly place: string;
  /** The template as it is written, cut at its parameters. */
  readonly source: readonly string[];
}

// `sql` or `sql(…)` before a backtick; the parentheses nest as deep as `sql(row({ at: oneOf("timestamptz") }))`.
const TAG = /(?<![\w$.])sql\s*(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*)?`/g;

/** Every `sql` template in the TypeScript files under a folder; tests and suites are left out. */
export function sqlTemplates(folder: URL): readonly SqlTemplate[] {
  const root = fileURLToPath(folder);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/(^|[\\/])node_modules[\\/]|\.(test|suite|d)\.ts$/.test(file))
    .sort()
    .flatMap((file) => templatesOf(file, readFileSync(join(root, file), "utf8").replaceAll("\r\n", "\n")));
}

function templatesOf(file: string, text: string): SqlTemplate[] {
  return [...text.matchAll(TAG)]
    .filter(({ index }) => !isComment(text, index))
    .map((match) => ({
      place: `${file}:${text.slice(0, match.index).split("\n").length}`,
      source: chunksAt(text, match.index + match[0].length).chunks,
    }));
}

function isComment(text: string, index: number): boolean {
  return /^\s*(\*|\/[/*])/.test(text.slice(text.lastIndexOf("\n", index) + 1, index));
}

/** Reads a template from behind its opening backtick to behind its closing one. */
function chunksAt(text: string, start: number): { readonly chunks: readonly string[]; readonly end: number } {
  const chunks: string[] = [];
  let from = start;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "`") return { chunks: [...chunks, text.slice(from, at)], end: at + 1 };
    else if (text.startsWith("${", at)) {
      chunks.push(text.slice(from, at));
      from = endOfExpression(text, at + 2);
      at = from - 1;
    }
  }
  return { chunks, end: text.length };
}

/** Where an expression inside a template ends, behind its closing brace. */
function endOfExpression(text: string, start: number): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return at + 1;
    else if (char === "`") at = chunksAt(text, at + 1).end - 1;
    else if (char === '"' || char === "'") at = endOfString(text, at);
  }
  return text.length;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === text[start]) return at;
  }
  return text.length;
}
