import type { StartMarks } from "../messaging/index.ts";
import { type Queryable, row, sql } from "../postgres/index.ts";

const Starts = row({ starts: "int4" });

/** Makes the marks of a consumer whose inbox is in this database: each is there before its message is begun. */
export function createStartMarks(database: Queryable): StartMarks {
  return {
    began: async (ctx, consumer, messageId) => {
      const [mark] = await database.query(
        ctx,
        sql(Starts)`
          insert into inbox_starts (consumer, message_id, starts) values (${consumer}, ${messageId}, 1)
          on conflict (consumer, message_id) do update set starts = inbox_starts.starts + 1, at = now()
          returning starts`,
      );
      return mark?.starts ?? 1;
    },
    ended: async (ctx, consumer, messageId) => {
      const deleteIt = sql`delete from inbox_starts where consumer = ${consumer} and message_id = ${messageId}`;
      await database.execute(ctx, deleteIt);
    },
  };
}
