/**
 * A copy of a JSON Schema whose objects refuse properties that they don't name. One that says `additionalProperties` or
 * `unevaluatedProperties` itself keeps its word. The members of an `allOf` stay open, since each sees the properties of
 * the others too; their whole is closed.
 */
export function closed(schema: object): object {
  return closeNode(schema) as object;
}

// These hold values of the user's, not schemas.
const DATA = new Set(["const", "enum", "default", "examples", "required"]);
// These hold schemas by names of the user's.
const NAMED = new Set(["properties", "patternProperties", "$defs"]);
// What these hold says what a part must have, or must not, and not what the whole may have.
const PARTIAL = new Set(["allOf", "not", "if"]);

function closeNode(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closeNode);
  if (!isObject(node)) return node;
  const copy = mapObject(node, (key, value) => closeKeyword(key, value, closeNode));
  if ("additionalProperties" in copy || "unevaluatedProperties" in copy) return copy;
  if ("allOf" in copy) return { ...copy, unevaluatedProperties: false };
  return copy.type === "object" && "properties" in copy ? { ...copy, additionalProperties: false } : copy;
}

/** Leaves the node itself open, and closes what its properties are. */
function openNode(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(openNode);
  return isObject(node) ? mapObject(node, (key, value) => closeKeyword(key, value, openNode)) : node;
}

function closeKeyword(key: string, value: unknown, same: (node: unknown) => unknown): unknown {
  if (DATA.has(key)) return value;
  if (NAMED.has(key) && isObject(value)) return mapObject(value, (_, schema) => closeNode(schema));
  return PARTIAL.has(key) ? openNode(value) : same(value);
}

function isObject(node: unknown): node is object {
  return typeof node === "object" && node !== null;
}

function mapObject(node: object, map: (key: string, value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, map(key, value)]));
}
