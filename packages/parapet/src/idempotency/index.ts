export { createIdempotencyExpiry, type IdempotencyExpiryOptions } from "./expiry.ts";
export { OnceTransactions } from "./once-transactions.ts";
export { idempotencySchema } from "./schema.ts";
