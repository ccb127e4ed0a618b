// DEL, the C1 controls (terminals obey some), what some readers take for line ends, and what turns text around. JSON
// leaves all of them as they are.
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const ALL_UNPRINTABLE = new RegExp(UNPRINTABLE, "g");

/** A value as JSON text in which nothing can end a line or steer a terminal. */
export function jsonText(value: unknown): string {
  return escapeUnprintable(JSON.stringify(value));
}

/** A value as one line. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

/** Escapes what JSON leaves in strings though it does not belong into a line. Takes JSON text and gives JSON text. */
export function escapeUnprintable(json: string): string {
  return UNPRINTABLE.test(json) ? json.replace(ALL_UNPRINTABLE, escapeSequence) : json;
}

/** A UTF-16 code unit as JSON escapes it. */
export function escapeSequence(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
