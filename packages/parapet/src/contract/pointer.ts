/** The steps of a JSON pointer, RFC 6901: `/a~1b/0` is `["a/b", "0"]`. */
export function steps(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What a JSON pointer leads to, or undefined. */
export function at(root: unknown, pointer: string): unknown {
  return steps(pointer).reduce<unknown>(
    (node, step) => (typeof node === "object" && node !== null ? (node as Record<string, unknown>)[step] : undefined),
    root,
  );
}
