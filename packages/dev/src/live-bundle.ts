import { type Dirent, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { type BuildContext, type BuildResult, context } from "esbuild";
import { bundleOptions } from "./bundle-options.ts";
import { toBuildError } from "./bundle-service.ts";
import { hasErrno } from "./errno.ts";
import { poll } from "./poll.ts";
import { SqlTexts } from "./sql-texts.ts";
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
// Microseconds lie between the two steps of a save, or on a busy machine the turns of other processes.
const SAVE_TIMEOUT_MS = 1_000;

/** A service's bundle for development: not minified, quickly built again, and aware of the folders it is made from. */
export class LiveBundle {
  readonly #options: LiveBundleOptions;
  readonly #context: BuildContext<{ write: false; metafile: true }>;
  readonly #sqlTexts: SqlTexts;
  #print: string | undefined;
  #inputs: readonly string[] = [];
  #empty: readonly string[] = [];

  private constructor(
    options: LiveBundleOptions,
    buildContext: BuildContext<{ write: false; metafile: true }>,
    sqlTexts: SqlTexts,
  ) {
    this.#options = options;
    this.#context = buildContext;
    this.#sqlTexts = sqlTexts;
  }

  static async create(options: LiveBundleOptions): Promise<LiveBundle> {
    const { root, service, outfile } = options;
    const sqlTexts = new SqlTexts();
    const settings = { ...bundleOptions(service, outfile), absWorkingDir: root, write: false } as const;
    return new LiveBundle(options, await context({ ...settings, plugins: [sqlTexts.plugin] }), sqlTexts);
  }

  /** Builds and writes the bundle. Throws `invalid` with the compiler's messages; the file then stays as it was. */
  async build(): Promise<LiveBuild> {
    const result = await this.#compileWhole();
    this.#inputs = this.#paths(Object.keys(result.metafile.inputs));
    this.#empty = this.#emptySources(result);
    const print = result.outputFiles.map(({ hash }) => hash).join();
    if (print !== this.#print) await this.#write(result);
    this.#print = print;
    return { print, sqlPrint: this.#sqlTexts.printOf(this.#inputs) };
  }

  /** Every folder whose change may change the bundle: the service's, and those of what it takes from the workspace. */
  folders(): ReadonlySet<string> {
    const elsewhere = this.#inputs.filter(isSource).map(dirname);
    return new Set([...foldersBelow(this.#options.service.dir), ...elsewhere]);
  }

  close(): Promise<void> {
    return this.#context.dispose();
  }

  /** A save in place empties a file before it fills it: what is empty since the last build is given time to be filled. */
  async #compileWhole(): Promise<Result> {
    const whole = await poll(
      async () => {
        const result = await this.#compile();
        return this.#emptySources(result).every((path) => this.#empty.includes(path)) ? result : undefined;
      },
      { timeoutMs: SAVE_TIMEOUT_MS },
    );
    return whole ?? this.#compile();
  }

  async #compile(): Promise<Result> {
    try {
      return await this.#context.rebuild();
    } catch (thrown) {
      throw await toBuildError(this.#options.service.name, thrown, this.#options.colour);
    }
  }

  /** The sources that the compiler found empty. */
  #emptySources({ metafile }: Result): string[] {
    const empty = Object.entries(metafile.inputs).filter(([, { bytes }]) => bytes === 0);
    return this.#paths(empty.map(([input]) => input)).filter(isSource);
  }

  /** Where the compiler's inputs are, which it names from the root. */
  #paths(inputs: readonly string[]): string[] {
    return inputs.map((input) => resolve(this.#options.root, input));
  }

  async #write({ outputFiles }: Result): Promise<void> {
    await mkdir(dirname(this.#options.outfile), { recursive: true });
    await Promise.all(outputFiles.map(({ path, contents }) => writeFile(path, contents)));
  }
}

const isSource = (path: string): boolean => !path.includes(`${sep}node_modules${sep}`);

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
