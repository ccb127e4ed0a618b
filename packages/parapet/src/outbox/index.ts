export { appendToOutbox, type OutboxEvent } from "./append.ts";
export { createInvalidator, type Invalidated, type InvalidatorOptions, noteInvalidation } from "./invalidations.ts";
export { createOutboxRelay, type OutboxRelayOptions } from "./relay.ts";
export { outboxRelaySchema, outboxSchema } from "./schema.ts";
