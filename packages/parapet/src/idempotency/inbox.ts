import type { Context } from "../context/index.ts";
import type { MessageClaim } from "../contract/index.ts";
import { sql, type Transaction } from "../postgres/index.ts";

/**
 * Enters a message into its consumer's inbox, in the transaction of its effect; false when it took effect before. Who has the same
 * message waits for the end of this transaction.
 */
export async function enterInbox(
  ctx: Context,
  tx: Transaction,
  { consumer, messageId }: MessageClaim,
): Promise<boolean> {
  const entered = await tx.execute(
    ctx,
    sql`insert into inbox (consumer, message_id) values (${consumer}, ${messageId}) on conflict do nothing`,
  );
  return entered === 1;
}
