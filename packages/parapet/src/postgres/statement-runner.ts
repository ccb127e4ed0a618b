import type { DriverQuery } from "./driver-client.ts";
import type { Instruments } from "./instruments.ts";
import { toParameters } from "./parameters.ts";
import type { Statement } from "./sql.ts";
import { isForgotten, isStalePlan } from "./sqlstate.ts";

/** Sends prepared statements to a connection. */
export type Send<T> = (queries: readonly DriverQuery[]) => Promise<T>;

/** Runs statements, prepared by name once a connection, and counts them. */
export class StatementRunner {
  readonly #instruments: Instruments;
  #generation = 0;

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
  }

  /** Gives what `send` gives. Throws what it throws, and `invalid` for text that can't be stored. */
  run<T>(statements: readonly Statement[], send: Send<T>): Promise<T> {
    return this.#instruments.query(async () => {
      const generation = this.#generation;
      const queries = statements.map((statement) => toQuery(statement, generation));
      try {
        return await send(queries);
      } catch (thrown) {
        // The schema changed under the prepared statement: from now on it goes by a new name, so that it is prepared anew.
        if (isStalePlan(thrown) && generation === this.#generation) this.#generation++;
        throw thrown;
      }
    });
  }
}

function toQuery({ site, values }: Statement, generation: number): DriverQuery {
  const name = `${site.name}_${generation}`;
  return { text: site.text, name, values: toParameters(values), discardsRows: site.row === undefined };
}

/** Runs it once more when the server refused the statement as it was prepared, which it does before it did anything. */
export async function againOnStalePlan<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (isStalePlan(thrown) || isForgotten(thrown)) return run();
    throw thrown;
  }
}
