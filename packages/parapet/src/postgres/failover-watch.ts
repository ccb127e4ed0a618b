/**
 * Notices that a server is no longer the primary, and when there is one again: a statement was refused since the server is
 * read-only, and then a connection was made that is not. Those that were made before lead nobody knows where.
 */
export class FailoverWatch {
  readonly #onOver: () => void;
  #isUnderWay = false;

  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  /** To be told of each statement that a read-only server refused. */
  refused(): void {
    this.#isUnderWay = true;
  }

  /** To be told of each connection that was made. */
  connected(isReadOnly: boolean): void {
    if (!this.#isUnderWay || isReadOnly) return;
    this.#isUnderWay = false;
    this.#onOver();
  }
}
