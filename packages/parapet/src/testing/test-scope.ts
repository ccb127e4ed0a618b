/** What the kit needs of a `node:test` context: whatever it opens is closed when the test is over. */
export interface TestScope {
  after(close: () => void | Promise<void>): void;
}
