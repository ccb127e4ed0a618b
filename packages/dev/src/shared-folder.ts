import { chmodSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "parapet/errors";

/**
 * A folder that every account can enter and only we can write, for what can't live in the project: PostgreSQL's
 * binaries when `node_modules` is read-only, and its data when a project of root is closed to others. Below `/var/tmp`,
 * because that survives a reboot. Throws `forbidden` when somebody else made it first.
 */
export function sharedFolder(name: string): string {
  const ours = join(existsSync("/var/tmp") ? "/var/tmp" : tmpdir(), `parapet-${process.getuid?.() ?? "user"}`);
  mkdirSync(ours, { recursive: true });
  const stats = lstatSync(ours);
  if (!stats.isDirectory() || (process.getuid !== undefined && stats.uid !== process.getuid())) {
    throw new AppError("forbidden", `${ours} belongs to another user; delete it, then start again`);
  }
  chmodSync(ours, 0o711);
  const folder = join(ours, name);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
  return folder;
}
