// From 5 to 10 % of an entry's life, so that processes that got it together don't refresh it together.
const MIN_LEAD_RATIO = 0.05;
const MAX_LEAD_RATIO = 0.5;

/**
 * When to load an entry anew, so that a hot one never expires: XFetch (Vattani, Chierichetti, Lowenstein: Optimal probabilistic
 * cache stampede prevention, 2015), drawn once for each entry that a process keeps. In the units of its arguments.
 */
export function refreshTime(expiresAt: number, ttlMs: number, costMs: number): number {
  const drawnMs = costMs * (1 - Math.log(1 - Math.random()));
  const leadMs = Math.max(drawnMs, ttlMs * MIN_LEAD_RATIO * (1 + Math.random()));
  return expiresAt - Math.min(leadMs, ttlMs * MAX_LEAD_RATIO);
}
