import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually, findCommand, startProcess } from "parapet/testing";

const LOOPBACK = "127.0.0.1";
/** Debian's `nobody`, as whom it goes on when it is started by root, which it refuses to be. */
const NOBODY = { name: "nobody", id: 65_534 };

/**
 * Starts a PgBouncer before a database, on a free port, and gives the URL through it. Without one on the PATH or in `/usr/sbin`
 * the test is skipped, and gets undefined.
 */
export async function ownPgBouncer(
  t: TestContext,
  databaseUrl: string,
  poolMode: "session" | "transaction",
): Promise<string | undefined> {
  const command = findCommand("pgbouncer", "/usr/sbin");
  if (command === undefined) {
    t.skip("there is no pgbouncer on the PATH or in /usr/sbin, and this test needs one");
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "parapet-pgbouncer-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const url = new URL(databaseUrl);
  const port = await freePort();
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(file, settingsFor(url, port, poolMode), { mode: 0o600 });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) for (const path of [folder, file]) chownSync(path, NOBODY.id, NOBODY.id);
  const pooler = startProcess(t, [command, ...(isRoot ? ["-u", NOBODY.name] : []), file]);
  await eventually(() => pooler.stderr.includes("process up"));
  url.host = `${LOOPBACK}:${port}`;
  return url.href;
}

/** All its own defaults, but for where it listens and whom it lets in. */
function settingsFor(
  { hostname, port, username, password, pathname }: URL,
  listenPort: number,
  poolMode: string,
): string {
  const quoted = (text: string) => `'${decodeURIComponent(text).replaceAll("'", "''")}'`;
  const secret = password === "" ? "" : ` password=${quoted(password)}`;
  return `[databases]
${pathname.slice(1)} = host=${hostname} port=${port || "5432"} user=${quoted(username || "postgres")}${secret}
[pgbouncer]
listen_addr = ${LOOPBACK}
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
