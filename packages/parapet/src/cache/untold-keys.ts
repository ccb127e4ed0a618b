/** Beyond this many, all keys count as untold. */
const MAX_KEYS = 10_000;

/** Keys that changed and of which Redis could not be told: what it holds of them is not to be believed for a while. */
export class UntoldKeys {
  readonly #keepMs: number;
  readonly #until = new Map<string, number>();
  #allUntil = 0;

  /** `keepMs` is the longest that Redis may still hold what it held. */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  get keys(): readonly string[] {
    return [...this.#until.keys()];
  }

  add(key: string, nowMs: number): void {
    if (this.#until.size >= MAX_KEYS) this.#sweep(nowMs);
    if (this.#until.size >= MAX_KEYS) this.#allUntil = nowMs + this.#keepMs;
    else this.#until.set(key, nowMs + this.#keepMs);
  }

  has(key: string, nowMs: number): boolean {
    return nowMs < this.#allUntil || nowMs < (this.#until.get(key) ?? 0);
  }

  delete(key: string): void {
    this.#until.delete(key);
  }

  #sweep(nowMs: number): void {
    for (const [key, until] of this.#until) if (until <= nowMs) this.#until.delete(key);
  }
}
