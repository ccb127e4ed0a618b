import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** `node scripts/one-process.ts a.test.ts b.test.ts`: runs test files in one process, for those that need none of their own. */
for (const file of process.argv.slice(2)) await import(pathToFileURL(resolve(file)).href);
