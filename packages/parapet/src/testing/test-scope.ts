/** What the kit needs of a `node:test` context: whatever it opens is closed when the test is over. */
export interface TestScope {
  after(close: () => void | Promise<void>): void;
}

/** A test that can say that it was skipped. */
export interface SkippableScope extends TestScope {
  skip(reason: string): void;
}
