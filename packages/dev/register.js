/**
 * `node --conditions=parapet-source --import @parapet/dev/register file.ts` runs TypeScript from source, and gives an
 * imported `.sql` file as its text, as the bundle does, so that migrations have one way to be imported.
 */
import { readFileSync } from "node:fs";
import * as module from "node:module";
import { fileURLToPath } from "node:url";
import "tsx";

const textOf = (url) => readFileSync(fileURLToPath(url), "utf8");

const isSql = (url) => url.startsWith("file:") && url.endsWith(".sql");

/** A dependency's own modules need no translation, and some packages have hundreds of them. */
const isForeignModule = (url) => url?.startsWith("file:") && url.includes("/node_modules/") && url.endsWith(".mjs");

const resolve = (specifier, context, next) =>
  specifier.startsWith(".") && specifier.endsWith(".mjs") && isForeignModule(context.parentURL)
    ? { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true }
    : next(specifier, context);

const load = (url, context, next) => {
  if (isForeignModule(url)) return { format: "module", shortCircuit: true, source: textOf(url) };
  if (!isSql(url)) return next(url, context);
  return { format: "module", shortCircuit: true, source: `export default ${JSON.stringify(textOf(url))};` };
};

// Before, the synchronous hooks are absent (20) or refuse CommonJS modules (24.9); from then on, the others are deprecated.
const SYNCHRONOUS_SINCE = 26;

if (Number.parseInt(process.versions.node, 10) >= SYNCHRONOUS_SINCE) {
  module.registerHooks({ resolve, load });
} else {
  // These run on a thread of their own, so the module goes there as source.
  const hooks = `
    import { readFileSync } from "node:fs";
    import { fileURLToPath } from "node:url";
    const textOf = ${textOf};
    const isSql = ${isSql};
    const isForeignModule = ${isForeignModule};
    export const resolve = ${resolve};
    export const load = ${load};`;
  module.register(`data:text/javascript,${encodeURIComponent(hooks)}`);
}
