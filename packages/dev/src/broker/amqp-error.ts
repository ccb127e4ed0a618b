/** What a broker answers a mistake with: it closes the channel, or the whole connection. (AMQP 0-9-1, 1.2, constants.) */
export class AmqpError extends Error {
  readonly code: number;
  readonly scope: "channel" | "connection";

  constructor(scope: "channel" | "connection", code: number, text: string) {
    // Short texts have 255 bytes, and names may be long.
    super(text.slice(0, 250));
    this.scope = scope;
    this.code = code;
  }
}

export function accessRefused(text: string): AmqpError {
  return new AmqpError("channel", 403, `ACCESS_REFUSED - ${text}`);
}

export function notFound(kind: "queue" | "exchange", name: string): AmqpError {
  return new AmqpError("channel", 404, `NOT_FOUND - no ${kind} '${name}' in vhost '/'`);
}

export function resourceLocked(queue: string): AmqpError {
  return new AmqpError(
    "channel",
    405,
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/'`,
  );
}

export function preconditionFailed(text: string): AmqpError {
  return new AmqpError("channel", 406, `PRECONDITION_FAILED - ${text}`);
}

export function frameError(text: string): AmqpError {
  return new AmqpError("connection", 501, `FRAME_ERROR - ${text}`);
}

export function commandInvalid(text: string): AmqpError {
  return new AmqpError("connection", 503, `COMMAND_INVALID - ${text}`);
}

export function channelError(text: string): AmqpError {
  return new AmqpError("connection", 504, `CHANNEL_ERROR - ${text}`);
}

export function unexpectedFrame(text: string): AmqpError {
  return new AmqpError("connection", 505, `UNEXPECTED_FRAME - ${text}`);
}

export function notAllowed(text: string): AmqpError {
  return new AmqpError("connection", 530, `NOT_ALLOWED - ${text}`);
}

/** For what RabbitMQ does and this broker does not. */
export function notImplemented(what: string): AmqpError {
  return new AmqpError("connection", 540, `NOT_IMPLEMENTED - the embedded broker has no ${what}`);
}
