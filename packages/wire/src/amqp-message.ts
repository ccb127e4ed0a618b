import type { AmqpMethodName, METHODS } from "./amqp-methods.ts";
import type { AmqpTable } from "./amqp-value.ts";

interface ArgumentValues {
  readonly octet: number;
  readonly short: number;
  readonly long: number;
  /** Delivery tags count from 1 a channel, and so fit. */
  readonly longlong: number;
  readonly bit: boolean;
  readonly shortstr: string;
  readonly longstr: string;
  readonly table: AmqpTable;
}

/** The arguments of a method, by their names. */
export type AmqpArguments<Name extends AmqpMethodName> = {
  readonly [A in keyof (typeof METHODS)[Name]["arguments"]]: ArgumentValues[(typeof METHODS)[Name]["arguments"][A] &
    keyof ArgumentValues];
};

interface AmqpFrame {
  readonly channel: number;
  /** The frame, as it travels. */
  readonly bytes: Buffer;
}

/** A method, as `basic.publish`. */
export type AmqpMethod<Name extends AmqpMethodName = AmqpMethodName> = {
  [N in Name]: { readonly name: N; readonly args: AmqpArguments<N> } & AmqpFrame;
}[Name];

/** What begins a connection: which protocol the client speaks. */
export interface AmqpProtocolHeader extends AmqpFrame {
  readonly name: "protocol-header";
}

/** What a message says of itself, before its body. */
export interface AmqpContentHeader extends AmqpFrame {
  readonly name: "content-header";
  readonly classId: number;
  /** In bytes, of all body frames together. */
  readonly bodySize: number;
  /** The properties, as they travel. */
  readonly properties: Buffer;
}

/** A part of a message's body. */
export interface AmqpBody extends AmqpFrame {
  readonly name: "body";
  readonly payload: Buffer;
}

export interface AmqpHeartbeat extends AmqpFrame {
  readonly name: "heartbeat";
}

export type AmqpMessage = AmqpMethod | AmqpProtocolHeader | AmqpContentHeader | AmqpBody | AmqpHeartbeat;
