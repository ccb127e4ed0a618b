export { appendToOutbox, type OutboxEvent } from "./append.ts";
export { createInvalidator, type Invalidated, type InvalidatorOptions, noteInvalidation } from "./invalidations.ts";
export { outboxSchema } from "./schema.ts";
