/** Whose message it is. */
export type Side = "client" | "server";

/** A message whose turn it is to pass a proxy, and what is known of it. */
export interface Sighting {
  readonly from: Side;
  /** The connection's number, from 1 on. */
  readonly connection: number;
  readonly message: { readonly bytes: Buffer };
}

/** What is said on one connection, read as messages of its protocol. */
export interface Conversation<Seen extends Sighting> {
  /** Takes bytes as they arrive. */
  receive(from: Side, bytes: Buffer): void;
  /** The next message of a side, `undefined` while it is not whole. Throws `invalid` for what is none. */
  next(from: Side): Seen | undefined;
  /** How many bytes of a side wait to be asked for. */
  waitingBytes(from: Side): number;
  /** What the proxy answers in the server's place, instead of passing this message on. */
  answer(seen: Seen): Buffer | undefined;
  /** To be told that the other side gets this message. */
  passed(seen: Seen): void;
}
