import { AppError } from "../errors/index.ts";

/** What may stand beside a message for all to read: an error's code and message, and nothing of a stranger's. */
export function errorText(thrown: unknown): string {
  return thrown instanceof AppError ? `${thrown.code}: ${thrown.message}` : "internal: internal error";
}
