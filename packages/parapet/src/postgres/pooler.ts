import type { Context } from "../context/index.ts";
import type { Session } from "./session.ts";

/** Why a database can't be used through such a pooler, for people. */
export const SHARED_SESSIONS =
  "the database url leads to a pooler that shares sessions between transactions (PgBouncer: pool_mode=transaction): use pool_mode=session, or connect directly";

/** In a pool that others use too, a transaction may now and then get the session that it had before. */
const LOOKS = 5;

/** What is asked of a session here. */
export type PooledSession = Pick<Session, "processId" | "run" | "close">;

/**
 * Tells whether a pooler before the server gives the session to others between two transactions: settings, prepared statements
 * and locks would then be those of others. A pooler gives itself away by a process id of its own; what it does, by what
 * becomes of the session while another one is in a transaction. Throws as `Session.run` does.
 */
export async function isShared(
  ctx: Context,
  session: PooledSession,
  openAnother: () => Promise<PooledSession>,
): Promise<boolean> {
  const pid = await backendPid(ctx, session);
  if (pid === session.processId) return false;
  const other = await openAnother();
  try {
    for (let look = 0; look < LOOKS; look++) {
      await other.run(ctx, { text: "begin" });
      if ((await backendPid(ctx, other)) === pid || (await backendPid(ctx, session)) !== pid) return true;
      await other.run(ctx, { text: "commit" });
      // A pool gives first what came back last, which is now the other one's.
      if ((await backendPid(ctx, session)) !== pid) return true;
    }
    return false;
  } finally {
    await other.close();
  }
}

async function backendPid(ctx: Context, session: PooledSession): Promise<number> {
  const { rows } = await session.run(ctx, { text: "select pg_backend_pid() as pid" });
  return (rows[0] as { readonly pid: number }).pid;
}
