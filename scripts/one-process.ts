import { resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

/** `node scripts/one-process.ts a.test.ts b.test.ts`: runs test files in one process, for those that need none of their own. */
let loaded = (): void => {};
const all = new Promise<void>((resolve) => {
  loaded = resolve;
});
// Tests run in the order in which they are made, so that the others begin when nothing is loaded beside them any more.
test("all test files are loaded", () => all);
for (const file of process.argv.slice(2)) await import(pathToFileURL(resolve(file)).href);
loaded();
