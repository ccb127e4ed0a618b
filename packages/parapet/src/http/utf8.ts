import { AppError } from "../errors/index.ts";

// A byte order mark stays, so that whoever reads the text can refuse it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Gives a body's bytes as text. Throws `invalid` when they are not UTF-8: nothing is replaced by U+FFFD, so what is
 * stored is what was sent.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (thrown) {
    throw new AppError("invalid", "the body is not valid UTF-8", {
      cause: thrown,
      violations: [{ in: "body", field: "", rule: "utf8", detail: "the body must be text in UTF-8" }],
    });
  }
}
