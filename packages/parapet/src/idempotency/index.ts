export { createIdempotencyExpiry, type IdempotencyExpiryOptions } from "./expiry.ts";
export { createInboxExpiry, type InboxExpiryOptions } from "./inbox-expiry.ts";
export { inboxSchema } from "./inbox-schema.ts";
export { MemoryOnceTransactions, type MemoryTransaction } from "./memory-once-transactions.ts";
export { OnceTransactions } from "./once-transactions.ts";
export { idempotencySchema } from "./schema.ts";
export { createStartMarks } from "./start-marks.ts";
