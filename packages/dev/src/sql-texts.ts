import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/** Bundles SQL files as text, and knows which text it was: a file that is read again later may be another by then. */
export class SqlTexts {
  readonly #texts = new Map<string, string>();

  /** Has esbuild take the text of `.sql` files from here. */
  readonly plugin: Plugin = {
    name: "sql-texts",
    setup: (build) => {
      build.onLoad({ filter: /\.sql$/ }, async ({ path }) => {
        const contents = await readFile(path, "utf8");
        this.#texts.set(path, contents);
        return { contents, loader: "text" };
      });
    },
  };

  /** Tells what was bundled of the `.sql` files among these apart from what other builds had. */
  printOf(files: readonly string[]): string {
    const hash = createHash("sha256");
    for (const file of files.filter((name) => name.endsWith(".sql"))) {
      hash.update(file).update(this.#texts.get(file) ?? "");
    }
    return hash.digest("hex");
  }
}
