import { createHash } from "node:crypto";
import { AppError } from "../errors/index.ts";

/** One step of the schema, as it stands in its file. */
export interface MigrationSource {
  /** The file's name without its extension: `0001_users`. */
  readonly id: string;
  readonly sql: string;
}

export interface Migration extends MigrationSource {
  /** SHA-256 of the text, whatever its line endings. */
  readonly checksum: string;
  /** False for a file whose first line is `-- no-transaction`: it holds one statement, like `create index concurrently`. */
  readonly transactional: boolean;
}

/** A schema's whole history, in order. */
export type Migrations = readonly Migration[];

const ID = /^\d{4}_[a-z0-9_]+$/;
const NO_TRANSACTION = /^--[ \t]*no-transaction[ \t]*$/;

/**
 * Declares the migrations of a service, oldest first, their text imported so that it travels inside the bundle.
 * Throws `internal` when an id is not like `0001_users`, or the order is not that of the ids.
 */
export function defineMigrations(sources: readonly MigrationSource[]): Migrations {
  let previous = "";
  return sources.map(({ id, sql }) => {
    if (!ID.test(id)) throw new AppError("internal", "a migration's id is not like 0001_users", { fields: { id } });
    if (id.slice(0, 4) <= previous.slice(0, 4)) {
      throw new AppError("internal", "migrations are not in the order of their numbers", { fields: { id } });
    }
    previous = id;
    const text = normalized(sql);
    const checksum = createHash("sha256").update(text).digest("hex");
    return { id, sql: text, checksum, transactional: !NO_TRANSACTION.test(text.split("\n", 1)[0] ?? "") };
  });
}

// A checkout with other line endings, or an editor that adds a byte-order mark, is not an edit.
function normalized(sql: string): string {
  return sql.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
}
