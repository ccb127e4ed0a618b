import { refusedJson } from "./strict-json-refusal.ts";

/** Bounds on a body's shape, both inclusive. */
export interface JsonLimits {
  /** Objects and arrays inside each other. 64 is what .NET's System.Text.Json allows too. */
  readonly maxDepth: number;
  /** Keys in all objects together. */
  readonly maxKeys: number;
  /** Elements in all arrays together. */
  readonly maxElements: number;
}

// Measured on Node 20: with these no body of 1 MiB holds the event loop for more than some 15 ms.
const DEFAULT_LIMITS: JsonLimits = { maxDepth: 64, maxKeys: 10_000, maxElements: 50_000 };

/**
 * Parses a body that `decodeUtf8` gave as I-JSON (RFC 7493). Throws `invalid`, with a violation that says where and
 * what but never repeats a value, for what is not JSON and for what `JSON.parse` would take and lose or choke on: depth,
 * number of keys and elements, duplicate keys, keys that reach a prototype, numbers that a double can't hold, NUL, lone surrogates.
 */
export function parseJson(text: string, limits: JsonLimits = DEFAULT_LIMITS): unknown {
  new StrictScan(text, limits).check();
  return JSON.parse(text);
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BYTE_ORDER_MARK = 0xfeff;

// A decimal of 15 digits survives the way into a double and back: DBL_DIG of IEEE 754.
const EXACT_DIGITS = 15;
// Up to here comparing with each key is faster than hashing it.
const MAX_LISTED_KEYS = 8;

const SIMPLE_ESCAPE = /^["\\/bfnrt]$/;
const HEX4 = /^[0-9a-fA-F]{4}$/;

/**
 * One pass over the text by the grammar of RFC 8259, so that positions come from here and not from the engine's messages.
 * It recurses no deeper than `maxDepth`.
 */
class StrictScan {
  readonly #text: string;
  readonly #limits: JsonLimits;
  /** The key or index that is being read at each depth. */
  readonly #path: (string | number)[] = [];
  #at = 0;
  #keys = 0;
  #elements = 0;

  constructor(text: string, limits: JsonLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  check(): void {
    if (this.#text.charCodeAt(0) === BYTE_ORDER_MARK) this.#refuseSyntax("a byte order mark must not come first");
    this.#skipSpace();
    if (this.#at === this.#text.length) this.#refuseSyntax("the body is empty; a JSON value was expected");
    this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#refuseSyntax("nothing may follow the value");
  }

  #value(depth: number): void {
    const code = this.#text.charCodeAt(this.#at);
    if (code === QUOTE) this.#string();
    else if (code === OPEN_BRACE) this.#object(depth);
    else if (code === OPEN_BRACKET) this.#array(depth);
    else if (code === MINUS || isDigit(code)) this.#number();
    else this.#word();
  }

  #object(depth: number): void {
    this.#open(depth);
    if (this.#takes(CLOSE_BRACE)) return;
    const seen = new KeysSeen();
    do {
      this.#skipSpace();
      this.#path[depth] = "";
      this.#countKey();
      this.#key(depth, seen);
      this.#skipSpace();
      if (!this.#takes(COLON)) this.#refuseSyntax("a colon was expected after the key");
      this.#skipSpace();
      this.#value(depth + 1);
      this.#skipSpace();
    } while (this.#takes(COMMA));
    if (!this.#takes(CLOSE_BRACE)) this.#refuseSyntax("a comma or a closing brace was expected");
    this.#path.length = depth;
  }

  #array(depth: number): void {
    this.#open(depth);
    if (this.#takes(CLOSE_BRACKET)) return;
    let index = 0;
    do {
      this.#path[depth] = index++;
      this.#countElement();
      this.#skipSpace();
      this.#value(depth + 1);
      this.#skipSpace();
    } while (this.#takes(COMMA));
    if (!this.#takes(CLOSE_BRACKET)) this.#refuseSyntax("a comma or a closing bracket was expected");
    this.#path.length = depth;
  }

  #open(depth: number): void {
    const { maxDepth } = this.#limits;
    if (depth === maxDepth) this.#refuse("maxDepth", `objects and arrays may be nested ${maxDepth} deep`);
    this.#at++;
    this.#skipSpace();
  }

  #countElement(): void {
    const { maxElements } = this.#limits;
    if (++this.#elements > maxElements)
      this.#refuse("maxElements", `all arrays may have ${maxElements} elements in sum`);
  }

  #countKey(): void {
    const { maxKeys } = this.#limits;
    if (++this.#keys > maxKeys) this.#refuse("maxKeys", `all objects may have ${maxKeys} keys in sum`);
  }

  #key(depth: number, seen: KeysSeen): void {
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== QUOTE) this.#refuseSyntax("a key in double quotes was expected");
    const hasEscapes = this.#string();
    const key = hasEscapes
      ? String(JSON.parse(this.#text.slice(start, this.#at)))
      : this.#text.slice(start + 1, this.#at - 1);
    this.#path[depth] = key;
    if (key === "__proto__" || (key === "prototype" && this.#path[depth - 1] === "constructor")) {
      this.#refuse("safeKey", "this key is not allowed", start);
    }
    if (!seen.add(key)) this.#refuse("uniqueKeys", "this key was given before in the same object", start);
  }

  /** Tells whether the string has escapes. */
  #string(): boolean {
    const text = this.#text;
    let hasEscapes = false;
    for (let at = this.#at + 1; ; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        this.#at = at + 1;
        return hasEscapes;
      }
      if (code === BACKSLASH) {
        hasEscapes = true;
        at = this.#escape(at);
      } else if (!(code >= 0x20)) {
        // Not below, so that NaN, the end of the text, comes here too.
        this.#refuseSyntax(unendedString(code), at);
      }
    }
  }

  /** Checks the escape whose backslash is at `at`, and gives the place of its last character. */
  #escape(at: number): number {
    const text = this.#text;
    if (text.charCodeAt(at + 1) !== LOWER_U) {
      if (!SIMPLE_ESCAPE.test(text.charAt(at + 1))) this.#refuseSyntax("this escape does not exist", at);
      return at + 1;
    }
    const unit = this.#unit(at);
    if (unit === 0) this.#refuse("noNul", "text must not contain U+0000", at);
    if (unit < 0xd800 || unit > 0xdfff) return at + 5;
    const isPaired = unit < 0xdc00 && text.startsWith("\\u", at + 6) && (this.#unit(at + 6) & 0xfc00) === 0xdc00;
    if (!isPaired) this.#refuse("unicode", "half of a surrogate pair is not a character", at);
    return at + 11;
  }

  #unit(at: number): number {
    const digits = this.#text.slice(at + 2, at + 6);
    if (!HEX4.test(digits)) this.#refuseSyntax("four hexadecimal digits were expected after \\u", at);
    return Number.parseInt(digits, 16);
  }

  #number(): void {
    const start = this.#at;
    if (this.#text.charCodeAt(start) === MINUS) this.#at++;
    if (!this.#takes(ZERO)) this.#digits();
    else if (isDigit(this.#text.charCodeAt(this.#at))) this.#refuseSyntax("a number must not start with a zero");
    if (this.#takes(DOT)) this.#digits();
    const hasExponent = this.#takesExponent();
    if (hasExponent || this.#at - start > EXACT_DIGITS || this.#text.startsWith("-0", start)) {
      this.#checkHeld(start, hasExponent);
    }
  }

  #takesExponent(): boolean {
    // Bit 0x20 makes E an e.
    if ((this.#text.charCodeAt(this.#at) | 0x20) !== LOWER_E) return false;
    this.#at++;
    if (!this.#takes(PLUS)) this.#takes(MINUS);
    this.#digits();
    return true;
  }

  #digits(): void {
    const start = this.#at;
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++;
    if (this.#at === start) this.#refuseSyntax("a digit was expected");
  }

  /** Refuses a number that a double would turn into another one; only an exponent says that rounding is meant. */
  #checkHeld(start: number, hasExponent: boolean): void {
    const written = this.#text.slice(start, this.#at);
    const held = Number(written);
    if (!Number.isFinite(held)) this.#refuse("number", "this number is too large; send it as a string", start);
    if (!hasExponent && Math.abs(held) > Number.MAX_SAFE_INTEGER) {
      this.#refuse("number", "beyond 9007199254740991 digits get lost; send this number as a string", start);
    }
    if (held !== 0) return;
    if (/^[^eE]*[1-9]/.test(written)) {
      this.#refuse("number", "this number is too close to zero; send it as a string", start);
    }
    if (written.startsWith("-")) this.#refuse("number", "zero must not be negative", start);
  }

  #word(): void {
    for (const word of ["true", "false", "null"]) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return;
      }
    }
    this.#refuseSyntax("a value was expected: an object, array, string in double quotes, number, true, false or null");
  }

  #skipSpace(): void {
    const text = this.#text;
    let at = this.#at;
    let code = text.charCodeAt(at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++at);
    this.#at = at;
  }

  #takes(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #refuseSyntax(detail: string, at = this.#at): never {
    throw refusedJson(this.#text, { at, path: [], rule: "json", detail });
  }

  #refuse(rule: string, detail: string, at = this.#at): never {
    throw refusedJson(this.#text, { at, path: this.#path, rule, detail });
  }
}

/** The keys of one object. */
class KeysSeen {
  readonly #listed: string[] = [];
  #hashed: Set<string> | undefined;

  /** Tells whether the key is new. */
  add(key: string): boolean {
    if (this.#hashed !== undefined) return this.#hashed.size < this.#hashed.add(key).size;
    if (this.#listed.includes(key)) return false;
    if (this.#listed.push(key) > MAX_LISTED_KEYS) this.#hashed = new Set(this.#listed);
    return true;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function unendedString(code: number): string {
  return Number.isNaN(code) ? "the string has no end" : "control characters in a string must be escaped";
}
