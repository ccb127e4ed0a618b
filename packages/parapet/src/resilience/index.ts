export { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from "./breaker.ts";
export { type Bulkhead, type BulkheadOptions, createBulkhead } from "./bulkhead.ts";
