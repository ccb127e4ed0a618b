import { chmod, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { type Account, canReach } from "./postgres-account.ts";
import { adoptServer } from "./postgres-server.ts";
import { isAlive } from "./process-signals.ts";

// Names the machine and the process, because containers may share a /tmp.
const PREFIX = `parapet-postgres-${hostname()}-`;

/** A new temporary folder that the account can enter. What killed processes left of theirs is stopped and removed. */
export async function temporaryFolder(account: Account | undefined): Promise<string> {
  const base = [tmpdir(), "/var/tmp"].find((folder) => canReach(folder, account)) ?? tmpdir();
  await sweep(base);
  const folder = await mkdtemp(join(base, `${PREFIX}${process.pid}-`));
  await chmod(folder, 0o711);
  return folder;
}

/** Where a temporary folder keeps its data. */
export const dataFolderIn = (folder: string): string => join(folder, "data");

async function sweep(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    if (!name.startsWith(PREFIX) || isAlive(Number.parseInt(name.slice(PREFIX.length), 10))) continue;
    const folder = join(base, name);
    // Gone when another run sweeps too.
    const stats = await stat(folder).catch(() => undefined);
    if (stats?.uid !== process.getuid?.()) continue;
    await (await adoptServer(dataFolderIn(folder), undefined))?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
