/** The properties of a message, as the driver writes and reads them. */
export interface AmqpProperties {
  readonly messageId?: string;
  readonly type?: string;
  readonly appId?: string;
  /** In seconds. */
  readonly timestamp?: number;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly correlationId?: string;
  readonly replyTo?: string;
  /** Kept on disk. */
  readonly persistent?: boolean;
  readonly mandatory?: boolean;
  readonly headers?: Readonly<Record<string, unknown>>;
}

type Received = { readonly [Name in keyof AmqpProperties]: AmqpProperties[Name] | undefined };

/** A message as the driver delivers it: its properties are of their types, by the protocol, and anything may be in its headers. */
export interface AmqpDelivery {
  readonly content: Buffer;
  readonly properties: Received;
  readonly fields: {
    readonly exchange: string;
    readonly routingKey: string;
    readonly redelivered: boolean;
  };
}

/** A message that was asked for. */
export interface AmqpGot extends AmqpDelivery {
  /** With how many messages are ready behind it. */
  readonly fields: AmqpDelivery["fields"] & { readonly messageCount: number };
}

/** What a return says of a message that no queue took. */
export interface AmqpReturn {
  readonly fields: { readonly exchange: string; readonly routingKey: string };
  readonly properties: Received;
}

interface QueueOptions {
  readonly durable: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What we use of the driver's channels: its own types stay out of our declarations. */
export interface AmqpChannel {
  assertExchange(name: string, type: "topic" | "direct", options: { readonly durable: boolean }): Promise<unknown>;
  assertQueue(name: string, options: QueueOptions): Promise<unknown>;
  checkQueue(name: string): Promise<{ readonly messageCount: number }>;
  bindQueue(queue: string, exchange: string, pattern: string): Promise<unknown>;
  prefetch(count: number): Promise<unknown>;
  /** Without a message when the server canceled the consumer. */
  consume(queue: string, onMessage: (message: AmqpDelivery | null) => void): Promise<{ readonly consumerTag: string }>;
  /** The next message, without consuming; false when there is none. */
  get(queue: string): Promise<AmqpGot | false>;
  cancel(consumerTag: string): Promise<unknown>;
  ack(message: AmqpDelivery): void;
  nack(message: AmqpDelivery, allUpTo: boolean, requeue: boolean): void;
  nackAll(requeue: boolean): void;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "return", listener: (returned: AmqpReturn) => void): unknown;
  once(event: "close", listener: () => void): unknown;
}

/** A channel on which the server confirms each publish. */
export interface AmqpConfirmChannel extends AmqpChannel {
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    properties: AmqpProperties,
    onConfirm: (error: unknown) => void,
  ): unknown;
}
