import pg from "pg";
import { AppError } from "../errors/index.ts";

type Parse = (text: string) => unknown;

const text: Parse = (value) => value;
const driver = (oid: number): Parse => pg.types.getTypeParser(oid);
const parseTextArray = driver(1009);

// The ends of what a `Date` can hold, where the driver would give a number.
const END_OF_TIME_MS = 8.64e15;

function parseTimestamptz(value: string): Date {
  // In UTC, which sessions are set to, and a year of four digits: what nearly all are.
  if (value[10] === " " && value.endsWith("+00")) return new Date(toUtcMs(value));
  if (value === "infinity") return new Date(END_OF_TIME_MS);
  if (value === "-infinity") return new Date(-END_OF_TIME_MS);
  return parseDriverTimestamptz(value) as Date;
}

const parseDriverTimestamptz = driver(1184);

/** Reads `2026-01-31 12:00:00.123456+00` digit by digit: the language's parser takes several times as long. */
function toUtcMs(text: string): number {
  const day = daysSinceEpoch(100 * twoDigits(text, 0) + twoDigits(text, 2), twoDigits(text, 5), twoDigits(text, 8));
  const seconds = 3600 * twoDigits(text, 11) + 60 * twoDigits(text, 14) + twoDigits(text, 17);
  let ms = 0;
  // Behind the point, up to where `+00` begins; what is less than a millisecond is cut off.
  for (let at = 20, weight = 100; at < text.length - 3 && at < 23; at++, weight /= 10) ms += weight * digit(text, at);
  return 1000 * (86_400 * day + seconds) + ms;
}

function twoDigits(text: string, at: number): number {
  return 10 * digit(text, at) + digit(text, at + 1);
}

function digit(text: string, at: number): number {
  return text.charCodeAt(at) - ZERO;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".) */
function daysSinceEpoch(year: number, month: number, day: number): number {
  // Its years begin in March, so that a leap day is the last.
  const marchYear = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return 365 * marchYear + leapDays + dayOfYear - DAYS_TO_EPOCH;
}

const ZERO = 48;
/** From 0000-03-01 to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;

/** Each type of `row.ts` by its OID in `pg_type`, and the OID of its array. */
const PARSERS: readonly (readonly [oid: number, arrayOid: number, parse: Parse])[] = [
  [16, 1000, (value) => value === "t"], // bool
  [17, 1001, driver(17)], // bytea
  [20, 1016, BigInt], // int8
  [21, 1005, Number], // int2
  [23, 1007, Number], // int4
  [25, 1009, text], // text
  [114, 199, (value) => JSON.parse(value)], // json
  [700, 1021, Number], // float4
  [701, 1022, Number], // float8
  [1042, 1014, text], // char(n)
  [1043, 1015, text], // varchar
  [1082, 1182, text], // date
  [1083, 1183, text], // time
  [1114, 1115, text], // timestamp
  [1184, 1185, parseTimestamptz], // timestamptz
  [1186, 1187, text], // interval
  [1700, 1231, text], // numeric
  [2950, 2951, text], // uuid
  [3802, 3807, (value) => JSON.parse(value)], // jsonb
];

const byOid = new Map<number, Parse>();
for (const [oid, arrayOid, parse] of PARSERS) {
  byOid.set(oid, parse);
  byOid.set(arrayOid, arrayOf(parse));
}

function arrayOf(parse: Parse): Parse {
  return (value) => (parseTextArray(value) as readonly unknown[]).map((element) => parsed(element, parse));
}

function parsed(element: unknown, parse: Parse): unknown {
  // Rows declare the elements' type, no element as null and no second dimension, so that what they declare is true.
  if (typeof element !== "string") throw new AppError("internal", "an array column holds a null or another array");
  return parse(element);
}

/** The parser of a column type, for the driver. Types that no row can declare stay text. */
export function parserOf(oid: number): Parse {
  return byOid.get(oid) ?? text;
}
