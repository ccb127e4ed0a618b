import type { PostgresFrontendMessage } from "./postgres-message.ts";

/** The texts behind the statements and portals of one connection. */
export class PostgresStatements {
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();

  /** The text that a message is about: of the query itself, or of the statement that was parsed or bound before. */
  sqlOf(message: PostgresFrontendMessage): string | undefined {
    switch (message.name) {
      case "Query":
      case "Parse":
        return message.sql;
      case "Bind":
        return this.#statements.get(message.statement);
      case "Execute":
        return this.#portals.get(message.portal);
      case "Describe":
      case "Close":
        return this.#named(message.target).get(message.of);
      default:
        return undefined;
    }
  }

  /** To be told of each message that the server gets. */
  passed(message: PostgresFrontendMessage): void {
    if (message.name === "Parse") this.#statements.set(message.statement, message.sql);
    else if (message.name === "Bind") this.#bind(message.portal, message.statement);
    else if (message.name === "Close") this.#named(message.target).delete(message.of);
  }

  #bind(portal: string, statement: string): void {
    const sql = this.#statements.get(statement);
    if (sql === undefined) this.#portals.delete(portal);
    else this.#portals.set(portal, sql);
  }

  #named(target: "statement" | "portal"): Map<string, string> {
    return target === "statement" ? this.#statements : this.#portals;
  }
}
