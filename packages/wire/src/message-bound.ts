import { AppError } from "parapet/errors";

/** How long a message may be unless a bound is given: what a peer can be expected to hold in memory. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

export interface FrameOptions {
  /** How long a message may be; 64 MiB by default. */
  readonly maxBytes?: number;
}

/** Throws `invalid` for a message that is longer than the bound. */
export function checkMessageLength(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new AppError("invalid", "a message is too long", { fields: { bytes, max_bytes: maxBytes } });
}
