import type { PostgresSighting } from "./postgres-conversation.ts";
import type { Match } from "./trap.ts";

/** The client runs a statement of which the text matches: in a Query, or in the Execute of a prepared one. */
export function statement(pattern: RegExp): Match<PostgresSighting> {
  return ({ message, sql }) => (message.name === "Query" || message.name === "Execute") && isAbout(sql, pattern);
}

/** The server has run a statement of which the text matches: its CommandComplete. An error is no such reply. */
export function replyTo(pattern: RegExp): Match<PostgresSighting> {
  return ({ message, sql }) => message.name === "CommandComplete" && isAbout(sql, pattern);
}

/** The server refuses a statement of which the text matches. */
export function failureOf(pattern: RegExp): Match<PostgresSighting> {
  return ({ message, sql }) => message.name === "ErrorResponse" && isAbout(sql, pattern);
}

/** The client asks for a commit. */
export const commit: Match<PostgresSighting> = statement(/^(commit|end)\b/i);

/** The server has committed; a COMMIT that became a rollback is none. */
export const committed: Match<PostgresSighting> = ({ message }) =>
  message.name === "CommandComplete" && message.tag === "COMMIT";

/** A client asks for the end of what another connection runs. */
export const cancelRequest: Match<PostgresSighting> = ({ message }) => message.name === "CancelRequest";

// White space and comments, as some drivers put them before a statement.
const LEAD = /^(\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*/;

function isAbout(sql: string | undefined, pattern: RegExp): boolean {
  // Not `test`, which starts a sticky or global pattern where it stopped last.
  return sql !== undefined && sql.replace(LEAD, "").search(pattern) >= 0;
}
