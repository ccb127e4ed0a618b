export { postgresConfig } from "./config.ts";
export { createDatabase, type Database, type DatabaseOptions } from "./database.ts";
export { defineMigrations, type Migration, type MigrationSource, type Migrations } from "./migrations.ts";
export type { Queryable } from "./queryable.ts";
export { type Columns, type ColumnType, type RowOf, type RowShape, row } from "./row.ts";
export { type RowStatement, type SqlValue, type Statement, type StatementSite, sql, statementSites } from "./sql.ts";
export { violates } from "./sqlstate.ts";
export type { Transaction } from "./transaction.ts";
export { isOutcomeUnknown, type TransactionOptions } from "./transactor.ts";
