import { randomUUID } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { hasErrno } from "./errno.ts";
import { isAlive } from "./process-signals.ts";

const MARK = ".making-";

/**
 * Makes a folder whole or not at all, whenever this process is killed: `fill` works on a sibling, which is then renamed
 * into place. When another process was quicker, its folder stays. What killed ones left is removed.
 */
export async function makeWhole(target: string, fill: (staging: string) => Promise<void>): Promise<void> {
  await sweep(target);
  const staging = `${target}${MARK}${process.pid}-${randomUUID().slice(0, 8)}`;
  try {
    await fill(staging);
    await rename(staging, target);
  } catch (thrown) {
    await rm(staging, { recursive: true, force: true });
    if (!hasErrno(thrown, "ENOTEMPTY", "EEXIST")) throw thrown;
  }
}

async function sweep(target: string): Promise<void> {
  const prefix = `${basename(target)}${MARK}`;
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(prefix) || isAlive(Number.parseInt(name.slice(prefix.length), 10))) continue;
    await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}
