import type { Once } from "../contract/index.ts";
import { AppError } from "../errors/index.ts";

/** What a `testOnce` unwinds with in place of a door's reply. */
export class Replayed extends Error {
  readonly reply: unknown;

  constructor(reply: unknown) {
    super("replayed");
    this.reply = reply;
  }
}

/**
 * A promise of a single effect, for what takes one and has no door: with a key its results are kept as JSON and unwind as
 * `Replayed`; without one it claims nothing. A mismatch is `invalid`, a busy key `conflict`.
 */
export function testOnce<Result>(key?: string, fingerprint = "the same request"): Once<Result> {
  return {
    take: () =>
      key === undefined ? undefined : { kind: "request", principal: "", operation: "test", key, fingerprint },
    encode: (result) => JSON.stringify(result),
    replay: (encoded) => {
      throw new Replayed(JSON.parse(encoded));
    },
    refuseMismatch: () => {
      throw new AppError("invalid", "the key was used for another request");
    },
    refuseBusy: () => {
      throw new AppError("conflict", "the first request with this key is still under way");
    },
  };
}
