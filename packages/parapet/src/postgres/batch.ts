import pg from "pg";
import { parserOf } from "./column-parsers.ts";
import type { DriverQuery, DriverResult } from "./driver-client.ts";

/** What this file uses of the driver's connection, whose own types leave out how it sends. */
interface DriverConnection {
  readonly submittedNamedStatements: Record<string, string>;
  /** How every message goes out. */
  _send(bytes: Uint8Array): void;
  describe(message: unknown): void;
  sync(): void;
}

/** What this file uses of the driver's query. */
interface DriverStatement {
  readonly name: string | undefined;
  readonly text: string;
  readonly _result: { _types: unknown };
  prepare(connection: DriverConnection): void;
  handleRowDescription(message: unknown): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: DriverConnection): void;
  handleReadyForQuery(connection: DriverConnection): void;
}

type Done = (error: Error | undefined, results: readonly DriverResult[]) => void;

/**
 * Several statements in one round trip, with one Sync behind them all: the server stops at the first that fails, so that
 * none runs whose predecessor did not. The driver's own pipeline has a Sync behind each, and would run what comes after a
 * failed BEGIN outside of any transaction. (PostgreSQL, Frontend/Backend Protocol, 55.2.4 Pipelining.)
 */
export class Batch {
  readonly #queries: readonly DriverQuery[];
  readonly #statements: readonly DriverStatement[];
  readonly #done: Done;
  readonly #results: DriverResult[] = [];
  #failure: Error | undefined;
  /** A row that could not be read; the statements behind it were run all the same. */
  #unread: Error | undefined;
  #at = 0;

  constructor(queries: readonly DriverQuery[], done: Done) {
    this.#queries = queries;
    this.#done = done;
    this.#statements = queries.map((query) =>
      driverStatement(query, (error, result) => {
        if (error === null) this.#results.push(result as DriverResult);
        else this.#unread ??= error;
      }),
    );
  }

  /** The driver takes the statement that the server parsed for the one that it remembers by name. */
  get name(): string | undefined {
    return this.#statements[this.#at]?.name;
  }

  get text(): string | undefined {
    return this.#statements[this.#at]?.text;
  }

  submit(connection: DriverConnection): null {
    const messages: Uint8Array[] = [];
    const gathering = withMethods(connection, { _send: (bytes) => messages.push(bytes) });
    const unsynced = withMethods(gathering, { sync: () => {} });
    const undescribed = withMethods(unsynced, { describe: () => {} });
    this.#statements.forEach((statement, at) => {
      statement.prepare(this.#queries[at]?.discardsRows === true ? undescribed : unsynced);
    });
    gathering.sync();
    connection._send(Buffer.concat(messages));
    return null;
  }

  handleRowDescription(message: unknown): void {
    this.#statements[this.#at]?.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    if (this.#queries[this.#at]?.discardsRows !== true) this.#statements[this.#at]?.handleDataRow(message);
  }

  handleCommandComplete(message: unknown, connection: DriverConnection): void {
    const statement = this.#statements[this.#at++];
    statement?.handleCommandComplete(message, connection);
    statement?.handleReadyForQuery(connection);
  }

  handleEmptyQuery(connection: DriverConnection): void {
    this.#statements[this.#at++]?.handleReadyForQuery(connection);
  }

  handleError(error: Error, connection: DriverConnection): void {
    // What was skipped was not parsed either.
    for (const { name } of this.#statements.slice(this.#at)) {
      if (name !== undefined) delete connection.submittedNamedStatements[name];
    }
    this.#fail(error);
  }

  handleReadyForQuery(): void {
    if (this.#unread !== undefined) this.#fail(this.#unread);
    else if (this.#failure === undefined) this.#done(undefined, this.#results);
  }

  // The driver calls twice when the connection is lost between an error and the server's readiness.
  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#done(error, []);
  }
}

/** The connection but for some of its methods. */
function withMethods(connection: DriverConnection, methods: Partial<DriverConnection>): DriverConnection {
  return Object.assign(Object.create(connection), methods);
}

const types = { getTypeParser: parserOf };

function driverStatement(query: DriverQuery, done: (error: Error | null, result: unknown) => void): DriverStatement {
  const config = { ...query, values: [...(query.values ?? [])] };
  const statement = new pg.Query(config, undefined, done as never) as unknown as DriverStatement;
  // What the driver does for the queries that it makes itself.
  statement._result._types = types;
  return statement;
}
