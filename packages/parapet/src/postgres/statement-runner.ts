import type { Context } from "../context/index.ts";
import type { DriverResult } from "./driver-client.ts";
import type { Instruments } from "./instruments.ts";
import { checkStorable } from "./parameters.ts";
import type { Session } from "./session.ts";
import type { Statement } from "./sql.ts";
import { isStalePlan } from "./sqlstate.ts";

/** Runs a statement on a session, prepared by name once a connection, and counts it. */
export class StatementRunner {
  readonly #instruments: Instruments;
  #generation = 0;

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
  }

  /** Throws as `Session.run` does, and `invalid` for text that can't be stored. */
  run(ctx: Context, session: Session, { site, values }: Statement): Promise<DriverResult> {
    return this.#instruments.query(async () => {
      checkStorable(values);
      const generation = this.#generation;
      try {
        return await session.run(ctx, { text: site.text, name: `${site.name}_${generation}`, values });
      } catch (thrown) {
        // The schema changed under the prepared statement: from now on it goes by a new name, so that it is prepared anew.
        if (isStalePlan(thrown) && generation === this.#generation) this.#generation++;
        throw thrown;
      }
    });
  }
}
