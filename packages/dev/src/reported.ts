import { AppError } from "parapet/errors";

/**
 * Runs a verb and gives its exit code. What people can do something about is told them without a stack; a bug goes on
 * as it is.
 */
export async function reported(verb: () => Promise<void>): Promise<number> {
  try {
    await verb();
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code === "internal") throw thrown;
    process.stderr.write(`parapet: ${thrown.message}\n`);
    return 1;
  }
}
