/** A whole message as it went over the wire, under its name in the PostgreSQL documentation. */
export interface PostgresFrame<Name extends string> {
  readonly name: Name;
  /** The letter that the message begins with; empty for those that begin with their length, as a connection's first. */
  readonly type: string;
  readonly bytes: Buffer;
}

export interface StartupMessage extends PostgresFrame<"StartupMessage"> {
  /** `user`, `database`, `application_name`, … */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Names a connection by what its server said in BackendKeyData. */
export interface CancelRequest extends PostgresFrame<"CancelRequest"> {
  readonly processId: number;
  readonly secretKey: Buffer;
}

export interface QueryMessage extends PostgresFrame<"Query"> {
  readonly sql: string;
}

export interface ParseMessage extends PostgresFrame<"Parse"> {
  /** Empty for the unnamed statement. */
  readonly statement: string;
  readonly sql: string;
}

export interface BindMessage extends PostgresFrame<"Bind"> {
  readonly portal: string;
  readonly statement: string;
  /** As they were sent, in text or binary format. */
  readonly values: readonly (Buffer | null)[];
}

export interface ExecuteMessage extends PostgresFrame<"Execute"> {
  readonly portal: string;
  /** 0 for all. */
  readonly maxRows: number;
}

export interface DescribeMessage extends PostgresFrame<"Describe" | "Close"> {
  readonly target: "statement" | "portal";
  /** The name of the statement or the portal. */
  readonly of: string;
}

/** What a client sends. Authentication replies of all kinds are called PasswordMessage. */
export type PostgresFrontendMessage =
  | StartupMessage
  | CancelRequest
  | QueryMessage
  | ParseMessage
  | BindMessage
  | ExecuteMessage
  | DescribeMessage
  | PostgresFrame<
      | "SSLRequest"
      | "GSSENCRequest"
      | "CopyData"
      | "CopyDone"
      | "CopyFail"
      | "Flush"
      | "FunctionCall"
      | "PasswordMessage"
      | "Sync"
      | "Terminate"
    >;

/** The one bare byte that answers an SSLRequest or a GSSENCRequest. */
export interface EncryptionReply extends PostgresFrame<"EncryptionReply"> {
  readonly isAccepted: boolean;
}

export interface BackendKeyData extends PostgresFrame<"BackendKeyData"> {
  readonly processId: number;
  readonly secretKey: Buffer;
}

export interface CommandComplete extends PostgresFrame<"CommandComplete"> {
  /** `INSERT 0 1`, `COMMIT`, … */
  readonly tag: string;
}

export interface ErrorResponse extends PostgresFrame<"ErrorResponse" | "NoticeResponse"> {
  /** By field letter: `C` the SQLSTATE, `M` the message, `S` the severity, … */
  readonly fields: Readonly<Record<string, string>>;
}

export interface ReadyForQuery extends PostgresFrame<"ReadyForQuery"> {
  readonly status: TransactionStatus;
}

/** `I` idle, `T` in a transaction, `E` in one that failed. */
export type TransactionStatus = "I" | "T" | "E";

/** What a server sends. */
export type PostgresBackendMessage =
  | EncryptionReply
  | BackendKeyData
  | CommandComplete
  | ErrorResponse
  | ReadyForQuery
  | PostgresFrame<
      | "Authentication"
      | "BindComplete"
      | "CloseComplete"
      | "CopyBothResponse"
      | "CopyData"
      | "CopyDone"
      | "CopyInResponse"
      | "CopyOutResponse"
      | "DataRow"
      | "EmptyQueryResponse"
      | "FunctionCallResponse"
      | "NegotiateProtocolVersion"
      | "NoData"
      | "NotificationResponse"
      | "ParameterDescription"
      | "ParameterStatus"
      | "ParseComplete"
      | "PortalSuspended"
      | "RowDescription"
    >;
