import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AppError } from "parapet/errors";

interface GoPackage {
  readonly name: string;
  readonly importPath: string;
  /** What brings it on Debian. */
  readonly debian: string;
}

const run = promisify(execFile);

const SOURCES = fileURLToPath(new URL("../peers/go/", import.meta.url));
/** Where Debian keeps the sources of Go packages. */
const GOCODE = "/usr/share/gocode";
// The first build compiles all packages, and takes a minute on a slow machine.
const BUILD_TIMEOUT_MS = 180_000;
const ASK_TIMEOUT_MS = 10_000;

const PACKAGES: readonly GoPackage[] = [
  { name: "gorilla/mux", importPath: "github.com/gorilla/mux", debian: "golang-github-gorilla-mux-dev" },
  { name: "lib/pq", importPath: "github.com/lib/pq", debian: "golang-github-lib-pq-dev" },
  { name: "go-redis", importPath: "gopkg.in/redis.v5", debian: "golang-gopkg-redis.v5-dev" },
  { name: "logrus", importPath: "github.com/sirupsen/logrus", debian: "golang-github-sirupsen-logrus-dev" },
  {
    name: "client_golang",
    importPath: "github.com/prometheus/client_golang",
    debian: "golang-github-prometheus-client-golang-dev",
  },
];

/**
 * Compiles the Go peer into the folder and gives its path; undefined, with a line on stdout that says what to install,
 * where Go or one of its packages is missing. Throws `invalid` when it does not compile.
 */
export async function buildGoPeer(folder: string, signal: AbortSignal): Promise<string | undefined> {
  const missing = await missingPackages();
  if (missing.length > 0) {
    console.log(`without the Go peer, for want of: apt-get install --no-install-recommends ${missing.join(" ")}`);
    return undefined;
  }
  const file = join(folder, "server");
  const env = { ...process.env, GO111MODULE: "off", GOPATH: `${folder}:${GOCODE}` };
  try {
    await run("go", ["build", "-o", file, "."], { cwd: SOURCES, env, signal, timeout: BUILD_TIMEOUT_MS });
  } catch (cause) {
    signal.throwIfAborted();
    throw new AppError("invalid", `the Go peer does not compile: ${String(cause)}`, { cause });
  }
  return file;
}

/** The versions of Go and of the peer's packages, such as `go1.19.8` and `lib/pq 1.10.7`. */
export async function goVersions(): Promise<{ go: string; packages: string[] }> {
  const packages = PACKAGES.map(async ({ name, debian }) => `${name} ${await debianVersion(debian)}`);
  return { go: (await goVersion()) ?? "unknown", packages: await Promise.all(packages) };
}

async function missingPackages(): Promise<string[]> {
  const packages = PACKAGES.filter(({ importPath }) => !existsSync(join(GOCODE, "src", importPath)));
  return [...((await goVersion()) === undefined ? ["golang-go"] : []), ...packages.map(({ debian }) => debian)];
}

async function goVersion(): Promise<string | undefined> {
  const version = await run("go", ["env", "GOVERSION"], { timeout: ASK_TIMEOUT_MS }).catch(() => undefined);
  return version?.stdout.trim();
}

async function debianVersion(name: string): Promise<string> {
  const args = ["--show", "--showformat", `\${Version}`, name];
  const version = await run("dpkg-query", args, { timeout: ASK_TIMEOUT_MS }).catch(() => undefined);
  return version?.stdout.replace(/-[^-]*$/, "") ?? "unknown";
}
