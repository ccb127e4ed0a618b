import { relative } from "node:path";
import { AppError } from "parapet/errors";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { shownUrl } from "./postgres-databases.ts";

/** The server that the services' databases are on. */
export interface DatabaseServer {
  readonly url: string;
  /** What and where it is, for people. */
  readonly shown: string;
  /** Settles when it ended by itself, with its last log lines; never for a server that isn't ours. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
  /** Ends it at once; the next start recovers. */
  kill(): void;
}

export interface DatabaseServerOptions {
  /** `DATABASE_URL`: a server to use instead of an own one. */
  readonly given: string | undefined;
  /** Where an own one keeps its data. */
  readonly dir: string;
  readonly signal: AbortSignal;
  readonly notify: (message: string) => void;
}

/** The server that was given, or an embedded one. Throws `invalid` for a URL that isn't PostgreSQL's. */
export async function databaseServer({ given, dir, signal, notify }: DatabaseServerOptions): Promise<DatabaseServer> {
  if (given !== undefined && given !== "") return givenServer(given);
  const { url, stop, kill, ended, dir: actualDir } = await startEmbeddedPostgres({ dir, signal, notify });
  const place = actualDir === dir ? relative(process.cwd(), dir) : actualDir;
  return { url, stop, kill, ended, shown: `PostgreSQL on ${new URL(url).host}, data in ${place}` };
}

function givenServer(url: string): DatabaseServer {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new AppError("invalid", "DATABASE_URL must be a URL like postgres://user:password@localhost:5432/postgres");
  }
  return {
    url,
    shown: `the server of DATABASE_URL, ${shownUrl(url)}`,
    ended: new Promise(() => {}),
    stop: async () => {},
    kill: () => {},
  };
}
