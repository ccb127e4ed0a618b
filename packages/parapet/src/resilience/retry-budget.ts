/** What a dependency may be asked again in all, by all callers that share it: one retry for ten calls, and ten on top. */
export interface RetryBudget {
  /** Notes a call, which earns a tenth of a retry. */
  earn(): void;
  /** Takes a retry; false when there is none left. */
  spend(): boolean;
}

/** As gRPC's retry throttling has it (proposal A6: maxTokens 10, tokenRatio 0.1), and Finagle's `RetryBudget`. */
const MOST = 10;
/** Of a retry, so that tenths add up to a whole. */
const TENTHS = 10;

/** Makes a budget, full. */
export function createRetryBudget(): RetryBudget {
  let tenths = MOST * TENTHS;
  return {
    earn() {
      tenths = Math.min(MOST * TENTHS, tenths + 1);
    },
    spend() {
      if (tenths < TENTHS) return false;
      tenths -= TENTHS;
      return true;
    },
  };
}
