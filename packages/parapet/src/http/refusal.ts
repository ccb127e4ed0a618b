import { AppError, type AppErrorOptions, type ErrorCode } from "../errors/index.ts";

export interface RefusalOptions extends AppErrorOptions {
  readonly code?: ErrorCode;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
}

/**
 * What only an HTTP door can say: a status outside the eleven codes' map (405, 408, 413, 414, 415, 417, 431, 501), and the
 * headers that go with it.
 */
export class Refusal extends AppError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The type of its problem, where its code does not say it all. */
  readonly type: string | undefined;

  constructor(status: number, message: string, options: RefusalOptions = {}) {
    super(options.code ?? "invalid", message, options);
    this.status = status;
    this.headers = options.headers ?? {};
    this.type = options.type;
  }
}
