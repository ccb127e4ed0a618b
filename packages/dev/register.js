/**
 * `node --conditions=parapet-source --import @parapet/dev/register file.ts` runs TypeScript from source, and gives an
 * imported `.sql` file as its text, as the bundle does, so that migrations have one way to be imported.
 */
import { readFileSync } from "node:fs";
import * as module from "node:module";
import { fileURLToPath } from "node:url";
import "tsx";

const isSql = (url) => url.startsWith("file:") && url.endsWith(".sql");

const asTextModule = (url) => ({
  format: "module",
  shortCircuit: true,
  source: `export default ${JSON.stringify(readFileSync(fileURLToPath(url), "utf8"))};`,
});

// Before, the synchronous hooks are absent (20) or refuse CommonJS modules (24.9); from then on, the others are deprecated.
const SYNCHRONOUS_SINCE = 26;

if (Number.parseInt(process.versions.node, 10) >= SYNCHRONOUS_SINCE) {
  module.registerHooks({ load: (url, context, next) => (isSql(url) ? asTextModule(url) : next(url, context)) });
} else {
  // These run on a thread of their own, so the module goes there as source.
  const hooks = `
    import { readFileSync } from "node:fs";
    import { fileURLToPath } from "node:url";
    const isSql = ${isSql};
    const asTextModule = ${asTextModule};
    export const load = (url, context, next) => (isSql(url) ? asTextModule(url) : next(url, context));`;
  module.register(`data:text/javascript,${encodeURIComponent(hooks)}`);
}
