/** Tells whether a schema holds a rule that is code, a TypeBox refinement or codec: no document could show it. */
export function hasHiddenRule(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  return "~refine" in schema || "~codec" in schema || Object.values(schema).some(hasHiddenRule);
}
