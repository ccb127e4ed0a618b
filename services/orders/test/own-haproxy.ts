import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually, findCommand, sparePort, startProcess } from "parapet/testing";

/** How often each process is asked whether it takes requests, in milliseconds; once is enough to believe it. */
export const CHECK_EVERY_MS = 200;
const LIFETIME_MS = 600_000;

/**
 * Starts an HAProxy that balances one address over several processes, by `/readyz`, and gives the address. Without one on the PATH or in
 * `/usr/sbin` the test is skipped, and gets undefined.
 */
export async function ownHaproxy(t: TestContext, ports: readonly number[]): Promise<string | undefined> {
  const command = findCommand("haproxy", "/usr/sbin");
  if (command === undefined) {
    t.skip("there is no haproxy on the PATH or in /usr/sbin, and this test needs one");
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "parapet-haproxy-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await sparePort();
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, settingsFor(port, ports));
  startProcess(t, [command, "-db", "-f", file], { lifetimeMs: LIFETIME_MS });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200, 20_000);
  return url;
}

/** Its own defaults, but for the checks: what fails is not sent again, unless no connection came about. */
function settingsFor(port: number, ports: readonly number[]): string {
  const servers = ports.map(
    (port, n) => `  server s${n} 127.0.0.1:${port} check inter ${CHECK_EVERY_MS} fall 1 rise 1`,
  );
  return `global
  maxconn 2000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 30s
  option redispatch
listen service
  bind 127.0.0.1:${port}
  option httpchk GET /readyz
${servers.join("\n")}
`;
}
