/** A message as a broker carries it. Its attributes are those of CloudEvents 1.0, in our words. */
export interface Message {
  /** Stays the same however often it is published, so that who receives it twice can tell; at most 255 characters. */
  readonly id: string;
  /** What happened, as its contract names it: `users.user.created.v1`. Whoever subscribed to it gets the message. */
  readonly type: string;
  /** The service that says so. */
  readonly source: string;
  /** What it happened to (CloudEvents' `subject`): the messages of one key are published in their order. */
  readonly key: string;
  /** When it happened. */
  readonly time: Date;
  /** JSON. */
  readonly data: Buffer;
  /** What travels with it and is no part of it, as a trace: names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A message as it arrived: anybody may have sent it, so it may lack anything but a body. */
export type ReceivedMessage = Pick<Message, "data" | "headers"> & Partial<Omit<Message, "data" | "headers">>;
