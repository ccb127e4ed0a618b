import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppError, hasCode, type Violation } from "../errors/index.ts";
import { type JsonLimits, parseJson } from "./strict-json.ts";

function violationOf(text: string, limits?: JsonLimits): Violation {
  const result = outcome(() => parseJson(text, limits));
  assert.ok("thrown" in result, `accepted: ${text.slice(0, 80)}`);
  const { thrown } = result;
  assert.ok(hasCode(thrown, "invalid"), String(thrown));
  const [violation] = thrown.violations;
  assert.ok(violation !== undefined && thrown.violations.length === 1);
  return violation;
}

function outcome(parse: () => unknown): { value: unknown } | { thrown: unknown } {
  try {
    return { value: parse() };
  } catch (thrown) {
    return { thrown };
  }
}

// After the n_* files of nst/JSONTestSuite.
const MALFORMED = [
  "",
  " ",
  "\n\t\r ",
  "\ufeff",
  "\ufeff{}",
  "\u2060[]",
  "[1 true]",
  "[aé]",
  '["": 1]',
  '[""],',
  "[,1]",
  "[1,,2]",
  '["x",,]',
  '["x"]]',
  '["",]',
  '["x"',
  "[x",
  "[3[4]]",
  "[1:2]",
  "[,]",
  "[-]",
  '[   , ""]',
  '["a",\n4\n,1,',
  "[1,]",
  "[1,,]",
  '["\u000ba"\\f]',
  "[*]",
  "[1,\n1\n,1",
  "[{}",
  "[fals]",
  "[nul]",
  "[tru]",
  "[True]",
  "TRUE",
  "nulll",
  "[++1234]",
  "[+1]",
  "[+Inf]",
  "[-01]",
  "[-1.0.]",
  "[-2.]",
  "[-NaN]",
  "[.-1]",
  "[.2e-3]",
  "[0.1.2]",
  "[0.3e+]",
  "[0.3e]",
  "[0.e1]",
  "[0E+]",
  "[0E]",
  "[1.0e+]",
  "[1.0e-]",
  "[1.0e]",
  "[1 000.0]",
  "[1eE2]",
  "[2.e+3]",
  "[9.e+]",
  "[Inf]",
  "[NaN]",
  "NaN",
  "Infinity",
  "-Infinity",
  "[Infinity]",
  "[1+2]",
  "[0x1]",
  "[0x42]",
  "[0b1]",
  "[0o7]",
  "[1_000]",
  "[1n]",
  "[- 1]",
  "[-012]",
  "[012]",
  "[-.123]",
  "[-1x]",
  "[1ea]",
  "[1.]",
  "[.123]",
  "[1.2a-3]",
  "[1.8011670033376514H-308]",
  '{"x", null}',
  '{"x"::"b"}',
  '{"a":"b"}/**/',
  '{"a":"b"}#',
  "//c\n{}",
  '{"a":/*c*/1}',
  "{key: 'value'}",
  "{'a':1}",
  '{"a" b}',
  '{:"b"}',
  '{"a":"a" 123}',
  '{"a" "b"}',
  '{"a":',
  '{"a"',
  '{"a":1',
  "{1:1}",
  "{null:null}",
  '{"id":0,}',
  '{"id":0,,}',
  '{,"id":0}',
  '{"a":"b",,"c":"d"}',
  '{"a":true} "x"',
  '{"a":1}{"a":1}',
  '{"a":1}\u0000',
  '{"a":1}}',
  "{[]:1}",
  "[\\u0020]",
  '["\\u00A"]',
  '["\\u"]',
  '["\\u00"]',
  '["\\u00G0"]',
  '["\\uD834\\uDd"]',
  '["\\uD800\\u"]',
  '["\\uD800\\u1"]',
  '["\\uD800\\u1x"]',
  '["\\x00"]',
  '["\\\\\\"]',
  '["\\\t"]',
  '["\\a"]',
  '["\\u{41}"]',
  '["\\U0041"]',
  '["\\0"]',
  '["\\🌀"]',
  '["\\\n"]',
  '["\\',
  '["\\"',
  '"\\',
  '"',
  "'",
  '"x',
  '["new\nline"]',
  '["\t"]',
  '["\u0000"]',
  '["\u001f"]',
  "['single']",
  "abc",
  "`x`",
  "undefined",
  "[undefined]",
  "<null>",
  "[<null>]",
  "[1]x",
  "[1]\u00a0",
  "\u00a0[1]",
  "[\u000c]",
  "[\u3000]",
  "{}}",
  "]",
  "}",
  "[",
  "{",
  ",",
  ":",
  "[{",
  '[{"',
  "{]",
  "[}",
  "*",
  "1]",
  "[1}",
  '{"a":1]',
  "true false",
  "1 2",
  "é",
  "å",
  "⍂",
] as const;

// After the y_* files of nst/JSONTestSuite, without what I-JSON refuses.
const WELL_FORMED = [
  "[[]   ]",
  '[""]',
  "[]",
  '["a"]',
  "[false]",
  '[null, 1, "1", {}]',
  "[null]",
  "[1\n]",
  " [1]",
  "[1,null,null,null,2]",
  "[2] ",
  "[123e65]",
  "[0e+1]",
  "[0e1]",
  "[ 4]",
  "[20e1]",
  "[-123]",
  "[-1]",
  "[-1.5]",
  "[-0.5]",
  "[1E22]",
  "[1E-2]",
  "[1E+2]",
  "[123e45]",
  "[123.456e78]",
  "[1e-2]",
  "[1e+2]",
  "[123.456789]",
  "[0]",
  "[0.0]",
  "[9007199254740991]",
  "[-9007199254740991]",
  "[0.30000000000000004]",
  "[3.141592653589793238]",
  "[5e-324]",
  "[1.7976931348623157e308]",
  '{"asd":"sdf", "dfg":"fgh"}',
  '{"asd":"sdf"}',
  "{}",
  '{"":0}',
  '{"a":[]}',
  '{"x":[{"id":"xxxxxxxxxxxxxxxxxxxx"}], "id":"y"}',
  '{"title":"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430"}',
  '{\n"a": "b"\n}',
  '{"a":{"b":1},"b":{"a":1}}',
  '{"A":1,"a":2}',
  '["\\u0060\\u012a\\u12AB"]',
  '["\\uD801\\udc37"]',
  '["\\ud83d\\ude39\\ud83d\\udc8d"]',
  '["\\"\\\\\\/\\b\\f\\n\\r\\t"]',
  '["\\\\u0000"]',
  '["\\""]',
  '["a/*b*/c/*d//e"]',
  '["\\\\a"]',
  '["\\u0012"]',
  '["\\uFFFF"]',
  '["\\uffff"]',
  '["asd"]',
  '[ "asd"]',
  '["\\uDBFF\\uDFFF"]',
  '["new\\u00A0line"]',
  '["􏿿"]',
  '["￿"]',
  '["\\u002c"]',
  '["π"]',
  '["𛿿"]',
  '" "',
  '["\\u0821"]',
  '["\\u0123"]',
  '["\u2028"]',
  '["\u2029"]',
  '["\u202e\u200f"]',
  '["\\u0061\\u30af\\u30EA\\u30b9"]',
  '["new\\u000Aline"]',
  '["\u007f"]',
  '["\\uA66D"]',
  '["⍂㈴⍂"]',
  "false",
  "42",
  "-0.1",
  "null",
  '"asd"',
  "true",
  '""',
  '["a"]\n',
  "[true]",
  " [] ",
  '{"constructor":1}',
  '{"prototype":{"a":1}}',
  '{"constructor":[{"prototype":1}]}',
  '{"toString":1,"hasOwnProperty":2,"valueOf":3}',
] as const;

test("F9: malformed text is refused as not JSON, as JSON.parse would refuse it", () => {
  assert.ok(MALFORMED.length >= 80);
  for (const text of MALFORMED) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    assert.equal(violationOf(text).rule, "json", text);
  }
});

test("well-formed text gives what JSON.parse gives", () => {
  assert.ok(WELL_FORMED.length >= 40);
  for (const text of WELL_FORMED) assert.deepEqual(parseJson(text), JSON.parse(text), text);
});

test("F9: the violation says where, by line and column, and what was expected", () => {
  const places = [
    ["", "line 1, column 1: the body is empty; a JSON value was expected"],
    [" \n ", "line 2, column 2: the body is empty; a JSON value was expected"],
    ["\ufeff{}", "line 1, column 1: a byte order mark must not come first"],
    ['{"a":1,\n "b" 2}', "line 2, column 6: a colon was expected after the key"],
    ['{"a":1,\r\n}', "line 2, column 1: a key in double quotes was expected"],
    ["[1 2]", "line 1, column 4: a comma or a closing bracket was expected"],
    ['{"a":1 "b":2}', "line 1, column 8: a comma or a closing brace was expected"],
    ["[1]\n\n x", "line 3, column 2: nothing may follow the value"],
    ['["ab', "line 1, column 5: the string has no end"],
    ['["a\tb"]', "line 1, column 4: control characters in a string must be escaped"],
    ['["a\\xb"]', "line 1, column 4: this escape does not exist"],
    ['["\\u12"]', "line 1, column 3: four hexadecimal digits were expected after \\u"],
    ["[-]", "line 1, column 3: a digit was expected"],
    ["[01]", "line 1, column 3: a number must not start with a zero"],
    [
      "[NaN]",
      "line 1, column 2: a value was expected: an object, array, string in double quotes, number, true, false or null",
    ],
  ] as const;
  for (const [text, detail] of places) {
    assert.deepEqual(violationOf(text), { in: "body", field: "", rule: "json", detail }, text);
  }
});

test("F9: no error repeats a value of the body", () => {
  const secret = "hunter2secret";
  const texts = [
    `{"password":"${secret}`,
    `{"password":${secret}}`,
    `["${secret}" "${secret}"]`,
    `"${secret}"x`,
    `{"${secret} ":1,"${secret} ":1}`,
    `{"a":"${secret}\\u0000"}`,
    `[1e999,"${secret}"]`,
  ];
  for (const text of texts) {
    assert.throws(
      () => parseJson(text),
      (thrown: unknown) =>
        thrown instanceof AppError && !JSON.stringify([thrown, thrown.message, thrown.cause]).includes(secret),
    );
  }
});

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

test("F11: 64 levels are accepted and 65 are refused", () => {
  assert.deepEqual(parseJson(nested(64)), JSON.parse(nested(64)));
  assert.deepEqual(violationOf(nested(65)), {
    in: "body",
    field: "[0]".repeat(64),
    rule: "maxDepth",
    detail: "line 1, column 65: objects and arrays may be nested 64 deep",
  });
  assert.equal(violationOf('{"a":'.repeat(65) + 1 + "}".repeat(65)).rule, "maxDepth");
});

const objectOf = (keys: number): string => `{${Array.from({ length: keys }, (_, i) => `"k${i}":1`).join(",")}}`;

test("F11: keys are counted over all objects, elements over all arrays", () => {
  assert.equal(Object.keys(Object(parseJson(objectOf(10_000)))).length, 10_000);
  assert.equal(violationOf(objectOf(10_001)).rule, "maxKeys");
  assert.equal(violationOf(`[${objectOf(5_000)},${objectOf(5_001)}]`).rule, "maxKeys");
  assert.equal(violationOf(`[${"1,".repeat(50_000)}1]`).rule, "maxElements");
  assert.equal(violationOf("[[1,2],[3]]", { maxDepth: 2, maxKeys: 0, maxElements: 4 }).rule, "maxElements");
});

test("F11: no body of a mebibyte holds the event loop", () => {
  const mebibyte = 1 << 20;
  const filled = (piece: string): string => piece.repeat(Math.floor(mebibyte / piece.length));
  const hostile = {
    brackets: filled("["),
    objects: filled('{"a":'),
    digits: filled("1"),
    fraction: `0.${filled("0")}1`,
    exponent: `1e${filled("9")}`,
    text: `"${filled("x")}"`,
    unended: `"${filled("x")}`,
    escapes: `"${filled("\\u00e9")}"`,
    pairs: `"${filled("\\ud83d\\ude00")}"`,
    keys: objectOf(100_000),
    twins: `{${filled('"k":1,')}"k":1}`,
    numbers: `[${filled("1,")}1]`,
    arrays: `[${filled("[],")}1]`,
    shrubs: `[${filled(`${nested(60)},`)}1]`,
    lines: `${filled("\n")}x`,
  };
  for (const [name, text] of Object.entries(hostile)) {
    const took = Math.min(...Array.from({ length: 5 }, () => processorMsOf(text)));
    assert.ok(took < 60, `${name} took ${took.toFixed(1)} ms`);
  }
});

/** What parsing takes when the machine has nothing else to do. */
function processorMsOf(text: string): number {
  const started = process.cpuUsage();
  try {
    parseJson(text);
  } catch (thrown) {
    assert.ok(thrown instanceof AppError);
  }
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}

test("F12: keys that reach a prototype are refused, however they are written", () => {
  for (const text of [
    '{"__proto__":{"polluted":1}}',
    '{"__proto__":null}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '[{"a":{"__proto__":1}}]',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"constructor":{"a":1,"prototype":{"polluted":1}}}',
    '{"\\u0063onstructor":{"prot\\u006ftype":1}}',
  ]) {
    assert.equal(violationOf(text).rule, "safeKey", text);
  }
  assert.equal(violationOf('{"a":{"constructor":{"prototype":1}}}').field, "a.constructor.prototype");
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("F13: a duplicate key is refused, also when it is escaped, far apart or among many", () => {
  const many = objectOf(100).slice(0, -1);
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"a":{"b":[{"a":1}]},"c":2,"a":3}',
    '{"":1,"":2}',
    '{"é":1,"\\u00e9":2}',
    `${many},"k0":1}`,
    `${many},"k99":1}`,
    `${many},"\\u006b50":1}`,
  ]) {
    assert.equal(violationOf(text).rule, "uniqueKeys", text);
  }
  assert.deepEqual(violationOf('{"items":[{"price":1},\n {"price":1,"price":2}]}'), {
    in: "body",
    field: "items[1].price",
    rule: "uniqueKeys",
    detail: "line 2, column 13: this key was given before in the same object",
  });
});

test("F14: a number that a double would change is refused", () => {
  for (const number of [
    "1e400",
    "-1e400",
    "1".repeat(400),
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9007199254740993.0",
    "123456789012345678901234567890",
    "-0",
    "-0.0",
    "-0e5",
    "1e-400",
    "-1e-400",
    `0.${"0".repeat(400)}1`,
  ]) {
    assert.equal(violationOf(number).rule, "number", number);
    assert.equal(violationOf(`{"age":[0,${number}]}`).field, "age[1]", number);
  }
});

test("F16: NUL and half a surrogate pair are refused in keys and values, other controls are not", () => {
  for (const text of ['"\\u0000"', '{"a\\u0000":1}', '{"a":1,"b\\u0000":2}']) {
    assert.equal(violationOf(text).rule, "noNul", text);
  }
  for (const text of ['"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"', '"\\ud800x"', '"\\udc00\\ud800"', '"\\ud83d\\n"']) {
    assert.equal(violationOf(text).rule, "unicode", text);
  }
  assert.equal(parseJson('"\\u0001\\u007f\u202e\\u200b"'), "\u0001\u007f\u202e\u200b");
});

test("the field is named only as long as its keys look like names", () => {
  assert.equal(violationOf('{"a":{"b-c":[1e999]}}').field, "a.b-c[0]");
  assert.equal(violationOf('{"a":{"b c":1e999}}').field, "");
  assert.equal(violationOf(`{"${"k".repeat(65)}":1e999}`).field, "");
  assert.equal(violationOf("1e999").field, "");
  assert.equal(violationOf('{"a":{"b":1},"c":1e999}').field, "c");
});

const WITHIN_LIMITS = { maxDepth: 1_000, maxKeys: 100_000, maxElements: 100_000 };

test("whatever JSON.stringify writes comes back, unless it is refused by name", () => {
  const isKept = (value: unknown): boolean => {
    if (typeof value === "number")
      return Math.abs(value) <= Number.MAX_SAFE_INTEGER || JSON.stringify(value).includes("e");
    if (typeof value === "string") return !/\p{Surrogate}|\0/u.test(value);
    if (typeof value !== "object" || value === null) return true;
    return Object.entries(value).every(([key, held]) => key !== "__proto__" && isKept(key) && isKept(held));
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: "binary" }).filter(isKept), fc.nat(4), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(parseJson(text, WITHIN_LIMITS), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test("on any text it agrees with JSON.parse about what is JSON", () => {
  const piece = fc.constantFrom(
    ..."{}[],:\"\\ \n0123456789-+.eEtrufalsn/'x\u0000é\ud83d\ude00".split(""),
    '"a":',
    "\\u00",
    "true",
    "null",
  );
  const edited = fc
    .tuple(fc.json({ stringUnit: "grapheme" }), fc.nat(), fc.nat(3), fc.array(piece, { maxLength: 3 }))
    .map(([text, at, cut, pieces]) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + pieces.join("") + text.slice(from + cut);
    });
  fc.assert(
    fc.property(
      fc.oneof(
        edited,
        fc.array(piece).map((pieces) => pieces.join("")),
      ),
      (text) => {
        const theirs = outcome(() => JSON.parse(text));
        const ours = outcome(() => parseJson(text, WITHIN_LIMITS));
        if ("value" in ours) assert.deepEqual(ours, theirs);
        else if (violationOf(text, WITHIN_LIMITS).rule === "json") assert.ok("thrown" in theirs);
      },
    ),
    { numRuns: 5_000 },
  );
});
