const SENSITIVE =
  /password|passwd|passphrase|pwd|secret|token|authorization|cookie|credential|apikey|privatekey|accesskey|sessionid/;

// Keys are few, but some come from data: what is remembered of them is bounded.
const MAX_REMEMBERED = 1000;
const remembered = new Map<string, boolean>();

/** Tells whether a field's name says that its value is a secret: `password`, `Set-Cookie`, `apiKey`, `access_token`. */
export function isSensitiveKey(key: string): boolean {
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const sensitive = SENSITIVE.test(key.toLowerCase().replace(/[^a-z0-9]/g, ""));
  if (remembered.size < MAX_REMEMBERED) remembered.set(key, sensitive);
  return sensitive;
}
