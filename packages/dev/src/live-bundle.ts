import { createHash } from "node:crypto";
import { type Dirent, readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { type BuildContext, type BuildResult, context } from "esbuild";
import { bundleOptions } from "./bundle-options.ts";
import { toBuildError } from "./bundle-service.ts";
import { hasErrno } from "./errno.ts";
import type { Service } from "./workspace.ts";

export interface LiveBundleOptions {
  readonly root: string;
  readonly service: Service;
  readonly outfile: string;
  readonly colour: boolean;
}

type Result = BuildResult<{ write: false; metafile: true }>;

/** What a build gave, told apart from other builds: the bundle, and the SQL inside. */
export interface LiveBuild {
  readonly print: string;
  readonly sqlPrint: string;
}

const NEVER_SOURCES = new Set(["node_modules", "dist"]);

/** A service's bundle for development: not minified, quickly built again, and aware of the folders it is made from. */
export class LiveBundle {
  readonly #options: LiveBundleOptions;
  readonly #context: BuildContext<{ write: false; metafile: true }>;
  #print: string | undefined;
  #inputs: readonly string[] = [];

  private constructor(options: LiveBundleOptions, buildContext: BuildContext<{ write: false; metafile: true }>) {
    this.#options = options;
    this.#context = buildContext;
  }

  static async create(options: LiveBundleOptions): Promise<LiveBundle> {
    const { root, service, outfile } = options;
    const settings = { ...bundleOptions(service, outfile), absWorkingDir: root, write: false } as const;
    return new LiveBundle(options, await context(settings));
  }

  /** Builds and writes the bundle. Throws `invalid` with the compiler's messages; the file then stays as it was. */
  async build(): Promise<LiveBuild> {
    const result = await this.#compile();
    this.#inputs = Object.keys(result.metafile.inputs).map((input) => resolve(this.#options.root, input));
    const print = result.outputFiles.map(({ hash }) => hash).join();
    if (print !== this.#print) await this.#write(result);
    this.#print = print;
    return { print, sqlPrint: await printOf(this.#inputs.filter((input) => input.endsWith(".sql"))) };
  }

  /** Every folder whose change may change the bundle: the service's, and those of what it takes from the workspace. */
  folders(): ReadonlySet<string> {
    const elsewhere = this.#inputs.filter((input) => !input.includes(`${sep}node_modules${sep}`)).map(dirname);
    return new Set([...foldersBelow(this.#options.service.dir), ...elsewhere]);
  }

  close(): Promise<void> {
    return this.#context.dispose();
  }

  async #compile(): Promise<Result> {
    try {
      return await this.#context.rebuild();
    } catch (thrown) {
      throw await toBuildError(this.#options.service.name, thrown, this.#options.colour);
    }
  }

  async #write({ outputFiles }: Result): Promise<void> {
    await mkdir(dirname(this.#options.outfile), { recursive: true });
    await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
  }
}

async function printOf(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update(await contentsOf(file));
  return hash.digest("hex");
}

async function contentsOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    // Deleted since the build; the change is noticed, and the next build says so.
    if (hasErrno(thrown, "ENOENT")) return "";
    throw thrown;
  }
}

function foldersBelow(folder: string): string[] {
  const below = entriesOf(folder)
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !NEVER_SOURCES.has(entry.name))
    .flatMap((entry) => foldersBelow(join(folder, entry.name)));
  return [folder, ...below];
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (thrown) {
    // Deleted just now.
    if (hasErrno(thrown, "ENOENT")) return [];
    throw thrown;
  }
}
