/** What is to happen once: the same claim again is the same effect. */
export type OnceClaim = RequestClaim | MessageClaim;

/** What a caller wants to happen once. */
export interface RequestClaim {
  readonly kind: "request";
  /** Who asks; empty where nobody is known. */
  readonly principal: string;
  /** What is asked for: `POST /api/v1/users`. */
  readonly operation: string;
  /** The caller's own name for it. */
  readonly key: string;
  /** A digest of what was sent: the same key with another one is the caller's mistake. */
  readonly fingerprint: string;
}

/** A message that is to take effect once for each who consumes it. It is not answered, so that no reply is kept. */
export interface MessageClaim {
  readonly kind: "message";
  readonly consumer: string;
  readonly messageId: string;
}

/**
 * A door's promise that an effect happens once, made to its caller and kept by the transaction that it is handed to. In
 * between it is opaque: a handler says how a result reads as the reply, a service passes it on.
 */
export interface Once<Result> {
  /** Hands the claim to the transaction that keeps the promise; undefined when the caller claims nothing. */
  take(): OnceClaim | undefined;
  /** The reply to a result, to be kept in its transaction and replayed. */
  encode(result: Result): string;
  /** Unwinds to the door, which gives the reply that was kept. */
  replay(encoded: string): never;
  /** Refuses a key that was kept for another request. */
  refuseMismatch(): never;
  /** Asks the caller to come back: the first request with this key is still under way. */
  refuseBusy(): never;
}

/** What a handler gets of an operation that is `idempotent`. */
export interface OnceDoor<Reply> {
  /** Says how a result reads as the reply. */
  replying<Result>(toReply: (result: Result) => Reply): Once<Result>;
}
