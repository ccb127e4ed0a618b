import { createHash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type Account, canReach, postgresAccount } from "./postgres-account.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import { prepareCluster } from "./postgres-cluster.ts";
import { adoptServer, launchServer, type PostgresServer } from "./postgres-server.ts";
import { superuserUrl } from "./postmaster-pid.ts";
import { sharedFolder } from "./shared-folder.ts";
import { dataFolderIn, temporaryFolder } from "./temporary-folder.ts";

export interface EmbeddedPostgresOptions {
  /** The data folder, kept between runs. Without one the data is temporary, and removed at `stop`. */
  readonly dir?: string;
  /** Ends a start that is under way, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Hears what people should know: that a running server was taken over, or that the data had to go elsewhere. */
  readonly notify?: (message: string) => void;
}

/** A real PostgreSQL on a free port of loopback. */
export interface EmbeddedPostgres {
  /** Its `postgres` database as superuser, without a password: for development and tests only. */
  readonly url: string;
  /** Where its data is. */
  readonly dir: string;
  /** Settles when it ended, asked or not, with its last log lines. */
  readonly ended: Promise<string>;
  /** Ends it, fast and then hard, within 20 seconds; temporary data is removed. */
  stop(): Promise<void>;
  /** Ends it at once; the next start recovers what was committed. */
  kill(): void;
}

interface Place {
  readonly dir: string;
  readonly account: Account | undefined;
}

/**
 * Starts a PostgreSQL from npm's binaries, also as root and without install scripts, and gives it when it accepts
 * connections. One that a killed process left on the folder is taken over. Throws `unavailable` where it can't run and
 * `conflict` or `forbidden` where the data folder stands in the way; the messages say what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  return options.dir === undefined ? startTemporary(options) : startKept(resolve(options.dir), options);
}

async function startKept(wanted: string, { notify, signal }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await placeFor(wanted);
  if (place.dir !== wanted) {
    notify?.(
      `PostgreSQL can't run as root, and other users can't enter ${dirname(wanted)}: its data is in ${place.dir}`,
    );
  }
  const orphan = await adoptServer(place.dir, signal);
  if (orphan !== undefined) notify?.("took over the PostgreSQL of a run that was killed");
  const server = orphan ?? (await launch(place, { durable: true, signal }));
  return toEmbedded(server, place.dir);
}

async function startTemporary({ signal }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const account = postgresAccount();
  const folder = await temporaryFolder(account);
  const dir = dataFolderIn(folder);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const server = await launch({ dir, account }, { durable: false, signal });
    return { ...toEmbedded(server, dir), stop: () => server.stop().then(remove) };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

function toEmbedded({ port, ended, stop, kill }: PostgresServer, dir: string): EmbeddedPostgres {
  return { url: superuserUrl(port), dir, ended, stop, kill };
}

async function launch(
  { dir, account }: Place,
  { durable, signal }: { durable: boolean; signal: AbortSignal | undefined },
): Promise<PostgresServer> {
  const binaries = await postgresBinaries(account);
  await prepareCluster(dir, { binaries, account, signal });
  return launchServer({ dir, binaries, account, durable, signal });
}

/** The wanted folder, or one for this project elsewhere when the account that PostgreSQL runs as can't get there. */
async function placeFor(wanted: string): Promise<Place> {
  const account = postgresAccount(wanted);
  await mkdir(dirname(wanted), { recursive: true });
  if (canReach(dirname(wanted), account)) return { dir: wanted, account };
  const project = createHash("sha256").update(wanted).digest("hex").slice(0, 12);
  const dir = join(sharedFolder(`project-${project}`), "postgres");
  return { dir, account: postgresAccount(dir) };
}
