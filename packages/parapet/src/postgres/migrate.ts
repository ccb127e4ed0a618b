import { type Context, rootContext, sleep } from "../context/index.ts";
import { AppError, toAppError } from "../errors/index.ts";
import type { Migration, Migrations } from "./migrations.ts";
import { openSession } from "./open-session.ts";
import { isShared, SHARED_SESSIONS } from "./pooler.ts";
import { appliedMigrations, schemaProblem, schemaState } from "./schema-state.ts";
import type { Session } from "./session.ts";
import { errorPosition, sqlstateOf, unavailable } from "./sqlstate.ts";

/** One migrator at a time in a database: ASCII `parapet`. */
const LOCK_KEY = "31632341280515444";
/** How long to wait for another migrator, and for the locks of one migration, while a table is in use. */
const WAIT_MS = 60_000;
/** Shorter than the two seconds of other sessions, which queue behind a migration that waits and must outlast it. */
const LOCK_TIMEOUT_MS = 300;
const ROLLBACK_TIMEOUT_MS = 1000;
/** An index may take hours to build: the context says when to stop. */
const NO_LIMIT_MS = 2 ** 31 - 1;

const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK_DETECTED = "40P01";

/**
 * Brings a database's schema to that of this build, one migration after the other, each in a transaction of its own.
 * Any number may run at once: one works, the others wait and find nothing to do. A run that was killed is resumed by the next.
 * Throws `conflict` when the schema is not one to build on, and `unavailable` when a lock was not free for a minute, or a
 * pooler before the server gives the session to others.
 */
export async function migrate(ctx: Context, url: string, service: string, migrations: Migrations): Promise<void> {
  const open = () =>
    openSession(ctx, url, {
      service,
      statementTimeoutMs: 0,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      transactionTimeoutMs: 0,
      limitMs: NO_LIMIT_MS,
      onCancel: () => {},
    });
  const session = await open();
  try {
    // The lock would be left with somebody else, for as long as the pooler lives.
    if (await isShared(ctx, session, open)) throw unavailable(SHARED_SESSIONS);
    await lock(ctx, session);
    const pending = await pendingMigrations(ctx, session, migrations);
    for (const migration of pending) await applyPatiently(ctx, session, migration);
    ctx.log.info("the schema is current", { applied: pending.length, migrations: migrations.length });
  } finally {
    // The lock ends with the session.
    await session.close();
  }
}

async function lock(ctx: Context, session: Session): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS;
  // Asked again and again rather than waited for: a waiting statement would hold up `create index concurrently`.
  const text = `select pg_try_advisory_lock(${LOCK_KEY}) as locked`;
  for (let waits = 0; ; waits++) {
    const { rows } = await session.run(ctx, { text });
    if ((rows[0] as { readonly locked: boolean }).locked) return;
    if (performance.now() >= giveUpAt) throw unavailable("another migration took too long");
    if (waits === 0) ctx.log.info("waiting for another migration to finish");
    await sleep(ctx, 50 + Math.random() * 100);
  }
}

async function pendingMigrations(ctx: Context, session: Session, migrations: Migrations): Promise<Migrations> {
  await session.script(
    ctx,
    `create table if not exists schema_migrations (
      id text primary key,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`,
  );
  const state = schemaState(migrations, await appliedMigrations(ctx, session));
  if (state.kind === "current") return [];
  if (state.kind === "behind") return state.pending;
  throw new AppError("conflict", "the schema is not one that this build can migrate", {
    fields: { because: schemaProblem(state) },
  });
}

/** Applies a migration, again and again while its locks are not free: a short wait each time, so that others get theirs. */
async function applyPatiently(ctx: Context, session: Session, migration: Migration): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    try {
      await (migration.transactional ? applyInTransaction : applyAlone)(ctx, session, migration);
      const duration_ms = Math.round(performance.now() - startedAt);
      return ctx.log.info("migration applied", { migration: migration.id, duration_ms });
    } catch (thrown) {
      const waitsForLock = [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED].includes(sqlstateOf(thrown) ?? "");
      if (!waitsForLock || performance.now() - startedAt >= WAIT_MS) throw migrationError(thrown, migration);
      ctx.log.warn("a migration waits for a lock", { migration: migration.id });
    }
    await sleep(ctx, 500 + Math.random() * 1000);
  }
}

async function applyInTransaction(ctx: Context, session: Session, migration: Migration): Promise<void> {
  await session.script(ctx, "begin");
  try {
    await session.script(ctx, migration.sql);
    await record(ctx, session, migration);
    await session.script(ctx, "commit");
  } catch (thrown) {
    await rollback(ctx, session);
    throw thrown;
  }
}

async function rollback(ctx: Context, session: Session): Promise<void> {
  if (!(await session.settled())) return;
  // The connection's end rolls back too, and what went wrong before is what to tell.
  await session.script(rootContext(ctx.log), "rollback", ROLLBACK_TIMEOUT_MS).catch(() => session.destroy());
}

async function applyAlone(ctx: Context, session: Session, migration: Migration): Promise<void> {
  // It waits for transactions older than itself, and nobody has to wait for it.
  await session.script(ctx, `set lock_timeout = ${WAIT_MS}`);
  await dropUnfinishedIndexes(ctx, session, migration);
  await session.script(ctx, migration.sql);
  await session.script(ctx, "reset lock_timeout");
  await record(ctx, session, migration);
}

/** `create index concurrently` that was killed leaves an invalid index, which `if not exists` would take for the real one. */
async function dropUnfinishedIndexes(ctx: Context, session: Session, { sql }: Migration): Promise<void> {
  const { rows } = await session.run(ctx, {
    text: `select format('drop index concurrently %s', indexrelid::regclass) as drop
      from pg_index join pg_class on pg_class.oid = indexrelid
      where not indisvalid and $1 ~ ('\\y' || regexp_replace(relname, '(\\W)', '\\\\\\1', 'g') || '\\y')`,
    values: [sql],
  });
  for (const { drop } of rows as readonly { readonly drop: string }[]) await session.script(ctx, drop);
}

async function record(ctx: Context, session: Session, { id, checksum }: Migration): Promise<void> {
  // A file made by pg_dump empties the search path for the rest of its session.
  await session.script(ctx, "reset search_path");
  const text = "insert into schema_migrations (id, checksum) values ($1, $2)";
  await session.run(ctx, { text, values: [id, checksum] });
}

function migrationError(thrown: unknown, { id, sql }: Migration): AppError {
  const { code, fields } = toAppError(thrown);
  const position = errorPosition(thrown);
  const line = position === undefined ? {} : { line: sql.slice(0, position).split("\n").length };
  return new AppError(code, "a migration failed", { cause: thrown, fields: { ...fields, migration: id, ...line } });
}
