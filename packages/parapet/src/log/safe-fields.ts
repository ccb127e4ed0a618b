import { isError, toErrorFields } from "./error-fields.ts";
import { MASK } from "./secrets.ts";
import { isSensitiveKey } from "./sensitive-key.ts";

// The line itself is the first level.
const MAX_DEPTH = 6;
const MAX_ENTRIES = 100;
const MAX_VALUES = 1000;
// Twice what a line may hold: where this cut may have halved a secret, the cut of the whole line takes it off again.
const MAX_TEXT = 32_768;
const UNREADABLE = "[unreadable]";

/** How many more values one line may hold. */
interface Budget {
  left: number;
}

/**
 * Copies fields into plain data that any serializer takes: bounded in depth and size, no cycles, errors by their
 * allow-list, values masked whose key says that they are secret. Never throws, whatever a getter or a proxy does.
 */
export function toSafeFields(fields: object): Record<string, unknown> {
  return safeObject(fields, 1, { left: MAX_VALUES });
}

function safeObject(source: object, depth: number, budget: Budget): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  let entries = 0;
  for (const key of keysOf(source)) {
    if (++entries > MAX_ENTRIES || budget.left <= 0) {
      safe["..."] = "[more fields]";
      break;
    }
    // An own `__proto__` would become the copy's prototype.
    if (key !== "__proto__") safe[key] = safeField(key, read(source, key), depth, budget);
  }
  return safe;
}

function safeField(key: string, value: unknown, depth: number, budget: Budget): unknown {
  if (value === undefined) return undefined;
  if (isSensitiveKey(key) && hides(value)) return MASK;
  if (key === "error" && depth === 1) return safeValue(toErrorFields(value), depth, budget);
  return safeValue(value, depth, budget);
}

/** A yes, a no or nothing gives nothing away. */
function hides(value: unknown): boolean {
  return value !== null && typeof value !== "boolean";
}

function safeValue(value: unknown, depth: number, budget: Budget): unknown {
  budget.left--;
  switch (typeof value) {
    case "string":
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}...` : value;
    case "bigint":
    case "symbol":
      return String(value);
    case "function":
      return undefined;
    case "object":
      return value === null ? null : safeComposite(value, depth, budget);
    default:
      return value;
  }
}

function safeComposite(value: object, depth: number, budget: Budget): unknown {
  try {
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[array]" : "[object]";
    if (isError(value)) return safeObject(toErrorFields(value), depth + 1, budget);
    const toJson = Reflect.get(value, "toJSON");
    if (typeof toJson === "function") return safeValue(Reflect.apply(toJson, value, []), depth + 1, budget);
    return Array.isArray(value) ? safeArray(value, depth + 1, budget) : safeObject(value, depth + 1, budget);
  } catch {
    return UNREADABLE;
  }
}

function safeArray(source: readonly unknown[], depth: number, budget: Budget): unknown[] {
  const safe: unknown[] = [];
  for (let index = 0; index < source.length; index++) {
    if (index === MAX_ENTRIES || budget.left <= 0) {
      safe.push("[more items]");
      break;
    }
    safe.push(safeValue(read(source, index), depth, budget) ?? null);
  }
  return safe;
}

function keysOf(source: object): readonly string[] {
  try {
    return Object.keys(source);
  } catch {
    return [];
  }
}

function read(source: object, key: string | number): unknown {
  try {
    return Reflect.get(source, key);
  } catch {
    return UNREADABLE;
  }
}
