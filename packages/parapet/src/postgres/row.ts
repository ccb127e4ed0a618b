import { AppError } from "../errors/index.ts";

/**
 * What a column of each PostgreSQL type is in JavaScript. Nothing is rounded: `int8` is a `bigint`, `numeric` a string.
 * A `date`, `time`, `timestamp` or `interval` has no honest `Date` and stays text; `timestamptz` loses its microseconds.
 * `text` also stands for `varchar`, `char(n)`, `citext` and enums.
 */
interface ScalarTypes {
  readonly bool: boolean;
  readonly int2: number;
  readonly int4: number;
  readonly int8: bigint;
  readonly float4: number;
  readonly float8: number;
  readonly numeric: string;
  readonly text: string;
  readonly uuid: string;
  readonly timestamptz: Date;
  readonly timestamp: string;
  readonly date: string;
  readonly time: string;
  readonly interval: string;
  readonly bytea: Buffer;
  readonly json: unknown;
  readonly jsonb: unknown;
}

type Scalar = keyof ScalarTypes;
type Whole = Scalar | `${Scalar}[]`;

/** A column's type as a row declares it: `"uuid"`, `"text[]"`, and with a question mark when it may be null: `"text?"`. */
export type ColumnType = Whole | `${Whole}?`;

export type Columns = Readonly<Record<string, ColumnType>>;

type Value<T extends ColumnType> = T extends `${infer W extends Whole}?`
  ? Value<W> | null
  : T extends `${infer S extends Scalar}[]`
    ? ScalarTypes[S][]
    : T extends Scalar
      ? ScalarTypes[T]
      : never;

/** A row's columns at run time, and its type at compile time. */
export interface RowShape<Row = unknown> {
  readonly columns: Columns;
  /** Never set: it carries the row's type. */
  readonly rowType?: Row;
}

/** The type of the rows that a shape declares: `type UserRow = RowOf<typeof UserRow>`. */
export type RowOf<S extends RowShape> = S extends RowShape<infer Row> ? Row : never;

/**
 * Declares the columns that a statement gives back, so that the compiler knows them and `describeStatements` can hold
 * them against the migrated schema: `row({ id: "uuid", email: "text", nickname: "text?" })`.
 */
export function row<const C extends Columns>(columns: C): RowShape<{ readonly [K in keyof C]: Value<C[K]> }> {
  if (Object.keys(columns).length === 0) throw new AppError("internal", "a row has at least one column");
  return { columns };
}
