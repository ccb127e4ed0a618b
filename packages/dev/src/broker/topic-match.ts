/** Tells whether a routing key matches a pattern: `*` is one word, `#` any number of them. (AMQP 0-9-1, 3.1.3.3.) */
export function matchesTopic(pattern: string, routingKey: string): boolean {
  return matches(pattern.split("."), routingKey.split("."));
}

function matches(pattern: readonly string[], words: readonly string[]): boolean {
  // Which of the pattern's beginnings match the words so far: one pass, however many `#` there are.
  let ends = afterHashes(pattern, new Set([0]));
  for (const word of words) {
    const next = new Set<number>();
    for (const at of ends) {
      if (pattern[at] === "#") next.add(at);
      else if (pattern[at] === "*" || pattern[at] === word) next.add(at + 1);
    }
    ends = afterHashes(pattern, next);
  }
  return ends.has(pattern.length);
}

/** A `#` also matches nothing. */
function afterHashes(pattern: readonly string[], ends: Set<number>): Set<number> {
  // The set grows while it is walked.
  for (const at of ends) if (pattern[at] === "#") ends.add(at + 1);
  return ends;
}
