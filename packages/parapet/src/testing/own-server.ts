import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { listenOnSparePort } from "./loopback.ts";

/** The path of a command, looked for in the folders of the PATH and in these; undefined when it is in none. */
export function findCommand(command: string, ...elsewhere: readonly string[]): string | undefined {
  const folders = [...elsewhere, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, command)).find((path) => existsSync(path));
}

/** A free loopback port for a server to listen on, which no system gives to anybody else who asks for any. */
export async function sparePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnSparePort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
