import { jsonLine } from "./json-line.ts";
import { maskPatterns, mayHoldPattern } from "./secret-patterns.ts";
import { holdsSecret, MASK, maskSecrets } from "./secrets.ts";

/** Masks every secret in a text, registered or of a known shape. */
export function scrubText(text: string): string {
  return maskPatterns(maskSecrets(text));
}

/** Masks every secret in a serialized line, which stays valid JSON. */
export function scrubLine(line: string): string {
  return holdsSecret(line) || mayHoldPattern(line) ? scrubbedLine(line) : line;
}

// Rare and slow. Masking what was parsed, not the text of the line, can't cut an escape or a number in half.
function scrubbedLine(line: string): string {
  try {
    return jsonLine(scrubbed(JSON.parse(line)));
  } catch {
    return jsonLine({ line: scrubText(line.trimEnd()) });
  }
}

function scrubbed(value: unknown): unknown {
  if (typeof value === "string") return scrubText(value);
  if (typeof value === "number") return scrubText(String(value)) === String(value) ? value : MASK;
  if (Array.isArray(value)) return value.map(scrubbed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [scrubText(key), scrubbed(item)]));
}
