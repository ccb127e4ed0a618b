import type { PostgresBackendMessage, PostgresFrontendMessage } from "./postgres-message.ts";

/** A message of the client to which the server has not said its last word yet. */
interface Awaited {
  readonly sql: string | undefined;
  /** The messages that end the answer to it. */
  readonly endsWith: readonly PostgresBackendMessage["name"][];
  readonly isSync: boolean;
}

const READY = ["ReadyForQuery"] as const;

const ENDINGS: Partial<Record<PostgresFrontendMessage["name"], Awaited["endsWith"]>> = {
  StartupMessage: READY,
  Query: READY,
  FunctionCall: READY,
  Sync: READY,
  Parse: ["ParseComplete"],
  Bind: ["BindComplete"],
  Describe: ["RowDescription", "NoData"],
  Execute: ["CommandComplete", "EmptyQueryResponse", "PortalSuspended"],
  Close: ["CloseComplete"],
};

/**
 * Tells what each message of the server answers: it answers in order, and after an error it passes over everything up to
 * the next Sync.
 */
export class PostgresReplies {
  readonly #awaited: Awaited[] = [];
  /** What was answered last since the server was ready. */
  #sql: string | undefined;
  #isPassingOver = false;
  #isCopyingIn = false;

  /** To be told of each message that the server gets, and of the text that it is about. */
  asked(message: PostgresFrontendMessage, sql: string | undefined): void {
    const endsWith = ENDINGS[message.name];
    const isSync = message.name === "Sync";
    if (message.name === "CopyDone" || message.name === "CopyFail") this.#isCopyingIn = false;
    // While rows are copied in the server takes no notice of a Sync.
    if (endsWith === undefined || (isSync && this.#isCopyingIn)) return;
    if (isSync) this.#isPassingOver = false;
    if (!this.#isPassingOver) this.#awaited.push({ sql, endsWith, isSync });
  }

  /** The text that a message of the server answers, to be asked once for each in their order. */
  sqlOf(message: PostgresBackendMessage): string | undefined {
    const [head] = this.#awaited;
    if (head === undefined || isUnasked(message)) return undefined;
    if (!head.isSync) this.#sql = head.sql;
    const sql = this.#sql;
    if (message.name === "ErrorResponse") this.#passOver(head);
    else if (message.name === "CopyInResponse") this.#copyIn(head);
    else if (head.endsWith.includes(message.name)) this.#awaited.shift();
    if (message.name === "ReadyForQuery") this.#sql = undefined;
    return sql;
  }

  #passOver(failed: Awaited): void {
    this.#isCopyingIn = false;
    if (failed.endsWith === READY) return;
    const sync = this.#awaited.findIndex(({ isSync }) => isSync);
    this.#isPassingOver = sync < 0;
    this.#awaited.splice(0, sync < 0 ? this.#awaited.length : sync);
  }

  #copyIn(head: Awaited): void {
    if (head.endsWith === READY) return;
    this.#isCopyingIn = true;
    while (this.#awaited[1]?.isSync) this.#awaited.splice(1, 1);
  }
}

function isUnasked({ name }: PostgresBackendMessage): boolean {
  return name === "NotificationResponse" || name === "ParameterStatus" || name === "EncryptionReply";
}
