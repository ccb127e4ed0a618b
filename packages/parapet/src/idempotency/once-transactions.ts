import { createHash } from "node:crypto";
import { type Context, sleep } from "../context/index.ts";
import type { Once, RequestClaim } from "../contract/index.ts";
import { row, sql, type Transaction, type Transactional, violates } from "../postgres/index.ts";
import { enterInbox } from "./inbox.ts";

/** How long a request waits for the first one with its key, and how often it looks. */
const BUSY_WAIT_MS = 1000;
const LOOK_MS = 50;

const Lock = row({ locked: "bool" });
const Kept = row({ fingerprint: "text", reply: "text" });

type Work<T> = (tx: Transaction) => Promise<T>;

/** Thrown through a transaction, which it rolls back: somebody else runs this claim. */
class Busy extends Error {}

/**
 * Runs transactions whose effects happen once a claim. A request's reply is kept in the same commit as its effect, so that no crash
 * leaves one without the other, and a request that comes again gets it without running anything; who comes while the first
 * is under way waits up to a second, without a connection. A message's id is entered into the inbox before its effect is begun,
 * in its commit.
 */
export class OnceTransactions {
  readonly #database: Transactional;
  /** Requests' claims that this process runs, each until it is done. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(database: Transactional) {
    this.#database = database;
  }

  /** Runs `work` in a transaction, as `Database.transaction` does; unwinds to the door when it has been run, or can't be now. */
  async run<T>(ctx: Context, work: Work<T>, once: Once<T> | undefined): Promise<T> {
    const claim = once?.take();
    if (once === undefined || claim === undefined) return this.#database.transaction(ctx, work);
    if (claim.kind === "request") return this.#request(ctx, work, once, claim);
    return this.#database.transaction(ctx, async (tx) => {
      if (!(await enterInbox(ctx, tx, claim))) once.replay("");
      return work(tx);
    });
  }

  async #request<T>(ctx: Context, work: Work<T>, once: Once<T>, claim: RequestClaim): Promise<T> {
    const name = JSON.stringify([claim.principal, claim.operation, claim.key]);
    for (const giveUpAt = performance.now() + BUSY_WAIT_MS; performance.now() < giveUpAt; ) {
      const first = this.#running.get(name);
      if (first !== undefined) await settledWithin(ctx, first, giveUpAt - performance.now());
      else {
        const outcome = await this.#alone(name, () => this.#attempt(ctx, work, once, claim, lockOf(name)));
        if (outcome !== "busy") return outcome.value;
        await sleep(ctx, LOOK_MS * (0.5 + Math.random()));
      }
    }
    return once.refuseBusy();
  }

  async #alone<T>(name: string, run: () => Promise<T>): Promise<T> {
    const running = run();
    this.#running.set(name, running);
    try {
      return await running;
    } finally {
      this.#running.delete(name);
    }
  }

  async #attempt<T>(ctx: Context, work: Work<T>, once: Once<T>, claim: RequestClaim, lock: bigint) {
    try {
      const value = await this.#database.transaction(ctx, async (tx) => {
        await this.#enter(ctx, tx, once, claim, lock);
        const result = await work(tx);
        keep(tx, claim, once.encode(result));
        return result;
      });
      return { value };
    } catch (thrown) {
      // Under another isolation level than `read committed` the first one's reply may be there and not be seen.
      if (thrown instanceof Busy || violates(thrown, "idempotency_keys_pkey")) return "busy";
      throw thrown;
    }
  }

  async #enter<T>(ctx: Context, tx: Transaction, once: Once<T>, claim: RequestClaim, lock: bigint): Promise<void> {
    const { principal, operation, key, fingerprint } = claim;
    // One after the other in one round trip: the second sees what was committed before the lock was free.
    const [[entry], [kept]] = await tx.queryAll(ctx, [
      sql(Lock)`select pg_try_advisory_xact_lock(${lock}) as locked`,
      sql(Kept)`
        select fingerprint, reply from idempotency_keys
        where principal = ${principal} and operation = ${operation} and key = ${key}
          and created_at > now() - interval '24 hours'`,
    ]);
    if (kept !== undefined && kept.fingerprint !== fingerprint) once.refuseMismatch();
    if (kept !== undefined) once.replay(kept.reply);
    if (entry?.locked !== true) throw new Busy();
  }
}

function keep(tx: Transaction, { principal, operation, key, fingerprint }: RequestClaim, reply: string): void {
  tx.executeAtCommit(sql`
    delete from idempotency_keys
    where principal = ${principal} and operation = ${operation} and key = ${key}
      and created_at <= now() - interval '24 hours'`);
  tx.executeAtCommit(sql`
    insert into idempotency_keys (principal, operation, key, fingerprint, reply)
    values (${principal}, ${operation}, ${key}, ${fingerprint}, ${reply})`);
}

function lockOf(name: string): bigint {
  return createHash("sha256").update(name).digest().readBigInt64BE(0);
}

/** Waits until the promise is settled, at most so long; what it came to is not of interest. */
async function settledWithin(ctx: Context, promise: Promise<unknown>, ms: number): Promise<void> {
  let finish = (): void => {};
  const settled = new Promise<void>((resolve) => {
    finish = resolve;
  });
  promise.then(finish, finish);
  const off = ctx.onDone(finish);
  const timer = setTimeout(finish, ms);
  await settled;
  clearTimeout(timer);
  off();
  ctx.throwIfDone();
}
