import { requestCancel } from "./cancel-request.ts";
import { backendKey, type DriverClient, serverAddress } from "./driver-client.ts";

/** How long the server has to answer a statement that was canceled before its connection is cut. */
const GRACE_MS = 1000;
/** A cancel that finds the server between two messages of a statement is lost, so it is sent again. */
const AGAIN_MS = 250;

export interface CancellationOptions {
  readonly onCancel: (passedOn: boolean) => void;
  readonly cut: () => void;
}

/** The cancel of the one statement that a connection runs. Begins at once, and cuts the connection when it can't be sure. */
export class Cancellation {
  readonly #client: DriverClient;
  readonly #options: CancellationOptions;
  readonly #finished: Promise<void>;
  #answered = false;
  #wake = () => {};

  constructor(client: DriverClient, options: CancellationOptions) {
    this.#client = client;
    this.#options = options;
    this.#finished = this.#cancelUntilAnswered();
  }

  /** To be told that the server has answered; settles when no cancel is on its way that could hit the next statement. */
  answered(): Promise<void> {
    this.#answered = true;
    this.#wake();
    return this.#finished;
  }

  async #cancelUntilAnswered(): Promise<void> {
    const giveUpAt = performance.now() + GRACE_MS;
    while (!this.#answered) {
      const key = backendKey(this.#client);
      const passedOn = key !== undefined && (await requestCancel(serverAddress(this.#client), key));
      this.#options.onCancel(passedOn);
      if (!passedOn || (!this.#answered && performance.now() >= giveUpAt)) return this.#options.cut();
      if (!this.#answered) await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, AGAIN_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
