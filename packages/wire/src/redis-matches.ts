import type { RedisSighting } from "./redis-conversation.ts";
import type { RespCommand } from "./resp-frames.ts";
import { type RespValue, respText } from "./resp-value.ts";
import type { Match } from "./trap.ts";

/** The client sends this command; with `arg`, one that has it among its arguments, as a key. */
export function command(name: string, arg?: string): Match<RedisSighting> {
  return (seen) => seen.from === "client" && isCommand(seen.command, name, arg);
}

/** The server answers this command, be it with an error; with `arg`, one that has it among its arguments. */
export function replyToCommand(name: string, arg?: string): Match<RedisSighting> {
  return (seen) => seen.from === "server" && isCommand(seen.command, name, arg);
}

/** The server tells a client that tracks its keys that this one has changed, or all of them; any without `key`. */
export function invalidation(key?: string): Match<RedisSighting> {
  return (seen) => seen.from === "server" && isInvalidation(seen.message.value, key);
}

function isCommand(sent: RespCommand | undefined, name: string, arg: string | undefined): boolean {
  if (sent?.name !== name.toUpperCase()) return false;
  return arg === undefined || sent.args.some((one) => one.toString() === arg);
}

function isInvalidation(value: RespValue, key: string | undefined): boolean {
  if (value.kind !== "push" || respText(value.value[0]) !== "invalidate") return false;
  const keys = value.value[1];
  // No list of keys means all of them.
  if (key === undefined || keys?.kind !== "array" || keys.value === null) return true;
  return keys.value.some((one) => respText(one) === key);
}
