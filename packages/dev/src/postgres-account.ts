import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";

/** Whom PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

// `nobody` on every Linux distribution, and on none the owner of anything.
const NOBODY: Account = { uid: 65534, gid: 65534 };

/**
 * The account to drop to: PostgreSQL refuses to run as root. It is the owner of a data folder that exists already, and
 * otherwise nobody; undefined when this process isn't root and needs no other.
 */
export function postgresAccount(dataDir?: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = dataDir === undefined ? undefined : statSync(dataDir, { throwIfNoEntry: false });
  return owner === undefined || owner.uid === 0 ? NOBODY : { uid: owner.uid, gid: owner.gid };
}

const READ_AND_ENTER = 0o5;
const ENTER = 0o1;

/** Tells whether the account may enter every folder above the path, and read and enter (or run) the path itself. */
export function canReach(path: string, account: Account | undefined): boolean {
  if (account === undefined) return true;
  const real = realpathSync(path);
  return (
    grants(statSync(real), account, READ_AND_ENTER) &&
    foldersAbove(real).every((folder) => grants(statSync(folder), account, ENTER))
  );
}

function foldersAbove(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...foldersAbove(parent)];
}

function grants(stats: Stats, account: Account, rights: number): boolean {
  const shift = stats.uid === account.uid ? 6 : stats.gid === account.gid ? 3 : 0;
  return ((stats.mode >> shift) & rights) === rights;
}
