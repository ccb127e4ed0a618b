export { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from "./breaker.ts";
export { type Bulkhead, type BulkheadOptions, createBulkhead } from "./bulkhead.ts";
export { createRetry, type Retry, type RetryOptions } from "./retry.ts";
export { createRetryBudget, type RetryBudget } from "./retry-budget.ts";
export { createTimeout, type Timeout, type TimeoutOptions } from "./timeout.ts";
export { wasTurnedAway } from "./turned-away.ts";
