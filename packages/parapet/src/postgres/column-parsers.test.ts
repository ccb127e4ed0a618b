import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hasCode } from "../errors/index.ts";
import { postgresSandbox } from "../testing/postgres-sandbox.ts";
import { testContext } from "../testing/test-context.ts";
import { parserOf } from "./column-parsers.ts";
import { type RowOf, row } from "./row.ts";
import { sql } from "./sql.ts";

const Everything = row({
  yes: "bool",
  small: "int2",
  int: "int4",
  big: "int8",
  real: "float4",
  double: "float8",
  exact: "numeric",
  text: "text",
  varchar: "text",
  char: "text",
  uuid: "uuid",
  instant: "timestamptz",
  local: "timestamp",
  date: "date",
  time: "time",
  interval: "interval",
  bytes: "bytea",
  json: "json",
  jsonb: "jsonb",
  texts: "text[]",
  bigs: "int8[]",
  instants: "timestamptz[]",
  nothing: "text?",
});

// Checked by the compiler: every column has the type of its value.
const everything: RowOf<typeof Everything> = {
  yes: true,
  small: -32768,
  int: 2147483647,
  big: 9223372036854775807n,
  real: 1.5,
  double: 0.1,
  exact: "12345678901234567890.123456789",
  text: "ä\u{1F642}\\\"'\n",
  varchar: "v",
  char: "c  ",
  uuid: "0190a0b0-0000-7000-8000-000000000001",
  instant: new Date("2024-02-29T12:34:56.789Z"),
  local: "2024-02-29 12:34:56.789",
  date: "2024-02-29",
  time: "12:34:56.789",
  interval: "1 day 02:00:00",
  bytes: Buffer.from([0, 1, 254, 255]),
  json: { a: [1, null] },
  jsonb: [{ b: "x" }],
  texts: ["", "a,b", 'say "x"', "back\\slash", "{}", "NULL"],
  bigs: [1n, -9007199254740993n],
  instants: [new Date(0), new Date("2024-02-29T12:34:56.789Z")],
  nothing: null,
};

test("each type arrives as its row declares it, and goes in as it came out", async (t) => {
  const { database } = await postgresSandbox(t);
  const [came] = await database.query(
    testContext(),
    sql(Everything)`select
      ${everything.yes}::bool as yes, ${everything.small}::int2 as small, ${everything.int}::int4 as int,
      ${everything.big}::int8 as big, ${everything.real}::float4 as real, ${everything.double}::float8 as double,
      ${everything.exact}::numeric as exact, ${everything.text}::text as text, ${everything.varchar}::varchar as varchar,
      ${everything.char}::char(3) as char, ${everything.uuid}::uuid as uuid, ${everything.instant}::timestamptz as instant,
      ${everything.local}::timestamp as local, ${everything.date}::date as date, ${everything.time}::time as time,
      ${everything.interval}::interval as interval, ${everything.bytes}::bytea as bytes,
      ${JSON.stringify(everything.json)}::json as json, ${JSON.stringify(everything.jsonb)}::jsonb as jsonb,
      ${everything.texts}::text[] as texts, ${everything.bigs}::int8[] as bigs,
      ${everything.instants}::timestamptz[] as instants, ${everything.nothing}::text as nothing`,
  );
  assert.deepEqual(came, everything);
});

test("any text, number, instant and list of texts survives the way there and back", async (t) => {
  const { database } = await postgresSandbox(t);
  const ctx = testContext();
  const Back = row({ text: "text", texts: "text[]", double: "float8", big: "int8", instant: "timestamptz" });
  const text = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));
  const value = fc.record({
    text,
    texts: fc.array(text, { maxLength: 5 }),
    double: fc.double(),
    big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    instant: fc.date({ min: new Date("0001-01-02"), max: new Date("9999-12-31"), noInvalidDate: true }),
  });
  await fc.assert(
    fc.asyncProperty(value, async (sent) => {
      const [came] = await database.query(
        ctx,
        sql(Back)`select ${sent.text}::text as text, ${sent.texts}::text[] as texts, ${sent.double}::float8 as double,
          ${sent.big}::int8 as big, ${sent.instant}::timestamptz as instant`,
      );
      // The server has one zero.
      assert.deepEqual({ ...came }, { ...sent, double: sent.double === 0 ? came?.double : sent.double });
    }),
    { numRuns: 200 },
  );
});

test("an instant is read as the language reads it, whatever its year and its fraction", () => {
  const parse = parserOf(1184);
  const anyInstant = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
  fc.assert(
    fc.property(
      anyInstant,
      fc.constantFrom("", ".5", ".05", ".005", ".123456", ".9999", ".00099"),
      (date, fraction) => {
        const [day, time] = [date.toISOString().slice(0, 10), date.toISOString().slice(11, 19)];
        assert.deepEqual(parse(`${day} ${time}${fraction}+00`), new Date(`${day}T${time}${fraction}Z`));
      },
    ),
  );
});

test("the ends of time are dates as far away as a date can be", async (t) => {
  const { database } = await postgresSandbox(t);
  const Ends = row({ first: "timestamptz", last: "timestamptz" });
  const [ends] = await database.query(
    testContext(),
    sql(Ends)`select '-infinity'::timestamptz as first, 'infinity'::timestamptz as last`,
  );
  assert.deepEqual(ends, { first: new Date(-8.64e15), last: new Date(8.64e15) });
});

test("an array that holds a null or another array is refused, since its row says neither", async (t) => {
  const { database } = await postgresSandbox(t);
  const Numbers = row({ numbers: "int4[]" });
  for (const text of ["{1,NULL}", "{{1},{2}}"]) {
    const numbers = database.query(testContext(), sql(Numbers)`select ${text}::int4[] as numbers`);
    await assert.rejects(numbers, (error) => hasCode(error, "internal"));
  }
});
