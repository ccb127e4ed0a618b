import type { Context } from "../context/index.ts";
import type { DriverResult } from "./driver-client.ts";
import type { RowStatement, Statement } from "./sql.ts";

/**
 * Runs statements: a database each on its own, a transaction in itself. Both throw `conflict`, `invalid`, `timeout`,
 * `unavailable` or `internal` as the server's answer says, and the context's reason (`canceled`, `timeout`) as soon as it ends.
 */
export interface Queryable {
  /** The rows, in the server's order. */
  query<Row>(ctx: Context, statement: RowStatement<Row>): Promise<readonly Row[]>;
  /** How many rows the statement affected. */
  execute(ctx: Context, statement: Statement): Promise<number>;
}

/** Takes the declared shape for true: `describeStatements` proves it in a test, so that no row is checked at run time. */
export function rowsOf<Row>(_statement: RowStatement<Row>, result: DriverResult | undefined): readonly Row[] {
  return (result?.rows ?? []) as readonly Row[];
}

export function affected(result: DriverResult | undefined): number {
  return result?.rowCount ?? 0;
}
