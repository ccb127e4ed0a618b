import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "parapet/errors";

const BUNDLE = fileURLToPath(new URL("../../services/users/dist/server.mjs", import.meta.url));

/**
 * Copies the users service into the folder and gives the path: a build in the meantime must not change what is measured.
 * Throws `invalid` when it is not built.
 */
export async function copyUsersServer(folder: string): Promise<string> {
  const file = join(folder, "users-server.mjs");
  try {
    await copyFile(BUNDLE, file);
    return file;
  } catch (cause) {
    throw new AppError("invalid", "the users service is not built: npm run build", { cause });
  }
}
