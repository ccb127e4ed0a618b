import type { Context } from "../context/index.ts";
import type { Migration, Migrations } from "./migrations.ts";
import type { Session } from "./session.ts";
import { sqlstateOf } from "./sqlstate.ts";

export interface AppliedMigration {
  readonly id: string;
  readonly checksum: string;
}

/** How the schema of a database stands to the migrations of this build. */
export type SchemaState =
  | { readonly kind: "current" }
  /** Some are still to be applied. */
  | { readonly kind: "behind"; readonly pending: Migrations }
  /** The database has some that this build does not know: a newer build was here. */
  | { readonly kind: "ahead"; readonly ids: readonly string[] }
  /** Some were changed after they had been applied. */
  | { readonly kind: "edited"; readonly ids: readonly string[] }
  /** Some are still to be applied though later ones were: they got their numbers too late. */
  | { readonly kind: "misplaced"; readonly ids: readonly string[] };

const UNDEFINED_TABLE = "42P01";

export function schemaState(migrations: Migrations, applied: readonly AppliedMigration[]): SchemaState {
  const checksums = new Map(applied.map(({ id, checksum }) => [id, checksum]));
  const known = new Set(migrations.map(({ id }) => id));
  const last = ids(applied).sort().at(-1) ?? "";
  const pending = migrations.filter(({ id }) => !checksums.has(id));

  const edited = ids(migrations.filter((migration) => isEdited(migration, checksums)));
  if (edited.length > 0) return { kind: "edited", ids: edited };
  const unknown = ids(applied.filter(({ id }) => !known.has(id)));
  if (unknown.length > 0) return { kind: "ahead", ids: unknown };
  const misplaced = ids(pending.filter(({ id }) => id < last));
  if (misplaced.length > 0) return { kind: "misplaced", ids: misplaced };
  return pending.length > 0 ? { kind: "behind", pending } : { kind: "current" };
}

function ids(of: readonly { readonly id: string }[]): string[] {
  return of.map(({ id }) => id);
}

function isEdited({ id, checksum }: Migration, checksums: ReadonlyMap<string, string>): boolean {
  const applied = checksums.get(id);
  return applied !== undefined && applied !== checksum;
}

/** Why a server must not run on a schema in this state, for people; undefined when it may. */
export function schemaProblem(state: SchemaState): string | undefined {
  switch (state.kind) {
    case "current":
      return undefined;
    case "behind":
      return `the schema is behind: run migrate to apply ${state.pending.map(({ id }) => id).join(", ")}`;
    case "ahead":
      return `the schema is ahead of this build: it does not know ${state.ids.join(", ")}`;
    case "edited":
      return `migrations were edited after they had been applied: ${state.ids.join(", ")}`;
    case "misplaced":
      return `migrations have lower numbers than applied ones: ${state.ids.join(", ")}`;
  }
}

/** The migrations that were applied; none in a database that was never migrated. */
export async function appliedMigrations(ctx: Context, session: Session): Promise<readonly AppliedMigration[]> {
  try {
    const { rows } = await session.run(ctx, { text: "select id, checksum from schema_migrations order by id" });
    return rows as readonly AppliedMigration[];
  } catch (thrown) {
    if (sqlstateOf(thrown) === UNDEFINED_TABLE) return [];
    throw thrown;
  }
}
