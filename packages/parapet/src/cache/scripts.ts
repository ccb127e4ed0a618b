import { createHash } from "node:crypto";

/** A Lua script and the name by which Redis knows it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

// Each has one key, so that it runs on a cluster too. A key holds a lease, `L<token>`, or a value, `V<token>:<entry>`.
// A write takes us off the list of those who are told when the key changes, so that each write is followed by a read.

/**
 * Gives a hit and what is left of its life, or that somebody else loads it, or takes the lease. What looks like a lease and is
 * not about to end is none of ours, and goes as a hit. ARGV: token, lease in ms.
 */
export const CLAIM = script(`
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
  redis.call('EXISTS', KEYS[1])
  return {'owner'}
end
local left = redis.call('PTTL', KEYS[1])
if string.sub(held, 1, 1) == 'L' and left >= 0 and left <= tonumber(ARGV[2]) then return {'wait'} end
return {'hit', held, left}
`);

/** Puts a value where our lease is. ARGV: token, entry, ttl in ms. */
export const FILL = script(`
if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'V' .. ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
redis.call('EXISTS', KEYS[1])
return 1
`);

/** Puts a value where the value of a token is. ARGV: that token, token, entry, ttl in ms. */
export const REPLACE = script(`
local head = 'V' .. ARGV[1] .. ':'
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #head) ~= head then return 0 end
redis.call('SET', KEYS[1], 'V' .. ARGV[2] .. ':' .. ARGV[3], 'PX', ARGV[4])
redis.call('EXISTS', KEYS[1])
return 1
`);

/** Gives our lease back. ARGV: token. */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
`);

function script(source: string): Script {
  // The protocol's own name for a script, not a matter of secrecy.
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
