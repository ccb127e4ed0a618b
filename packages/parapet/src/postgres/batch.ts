import pg from "pg";
import { parserOf } from "./column-parsers.ts";
import type { DriverQuery, DriverResult } from "./driver-client.ts";

/** What this file, and the driver's query, use of the driver's connection, whose own types leave out how it sends. */
interface DriverConnection {
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(message: unknown): void;
  bind(message: unknown): void;
  describe(message: unknown): void;
  execute(message: unknown): void;
  close(message: unknown): void;
  sync(): void;
  /** How every message goes out. */
  _send(bytes: Uint8Array): void;
}

/** Stands in for a connection and keeps what would be sent. (An object with the connection as its prototype makes the driver slow.) */
class Messages implements DriverConnection {
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  readonly parse: DriverConnection["parse"];
  readonly bind: DriverConnection["bind"];
  readonly execute: DriverConnection["execute"];
  readonly close: DriverConnection["close"];
  /** Whether the rows of what comes next are to be described. */
  isDescribing = true;
  readonly #connection: DriverConnection;
  readonly #bytes: Uint8Array[] = [];

  constructor(connection: DriverConnection) {
    this.#connection = connection;
    this.parsedStatements = connection.parsedStatements;
    this.submittedNamedStatements = connection.submittedNamedStatements;
    this.parse = connection.parse;
    this.bind = connection.bind;
    this.execute = connection.execute;
    this.close = connection.close;
  }

  describe(message: unknown): void {
    if (this.isDescribing) this.#connection.describe.call(this, message);
  }

  /** There is one for all, behind the last. */
  sync(): void {}

  send(): void {
    this.#connection.sync.call(this);
    this.#connection._send(Buffer.concat(this.#bytes));
  }

  _send(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
  }
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
    const messages = new Messages(connection);
    this.#statements.forEach((statement, at) => {
      messages.isDescribing = this.#queries[at]?.discardsRows !== true;
      statement.prepare(messages);
    });
    messages.send();
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

const types = { getTypeParser: parserOf };

function driverStatement(query: DriverQuery, done: (error: Error | null, result: unknown) => void): DriverStatement {
  const config = { ...query, values: [...(query.values ?? [])] };
  const statement = new pg.Query(config, undefined, done as never) as unknown as DriverStatement;
  // What the driver does for the queries that it makes itself.
  statement._result._types = types;
  return statement;
}
