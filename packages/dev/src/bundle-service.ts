import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type BuildFailure, build, formatMessages } from "esbuild";
import { AppError } from "parapet/errors";
import { bundleOptions } from "./bundle-options.ts";
import { type Service, serviceIn } from "./workspace.ts";

/** What was built: the file, with its source map beside it. */
export interface Bundle {
  readonly file: string;
  readonly bytes: number;
  readonly durationMs: number;
}

export interface BundleServiceOptions {
  /** The service's folder, with its `cmd/server/main.ts`. */
  readonly serviceDir: string;
  /** Where to; `dist/server.mjs` in the service's folder unless said. */
  readonly outfile?: string;
}

/**
 * Makes a service the one minified file that is deployed. It takes its version from `package.json`; `SERVICE_VERSION`
 * overrides it where it runs. Throws `invalid` with the compiler's messages when the sources don't build.
 */
export async function bundleService({ serviceDir, outfile }: BundleServiceOptions): Promise<Bundle> {
  const service = serviceIn(resolve(serviceDir));
  return bundle(service, outfile ?? join(service.dir, "dist", "server.mjs"));
}

/** Makes a program the one file that runs alone, as `bundleService` does with a service. */
export function bundleFile({ entry, outfile }: { readonly entry: string; readonly outfile: string }): Promise<Bundle> {
  return bundle({ name: basename(entry, ".ts"), dir: dirname(entry), entry }, outfile);
}

async function bundle(service: Service, file: string): Promise<Bundle> {
  const startedAt = performance.now();
  try {
    // Names stay as they are: stacks can be read, and no code is needed to keep them, which would run for every closure.
    await build({ ...bundleOptions(service, file), minifySyntax: true, minifyWhitespace: true });
  } catch (thrown) {
    throw await toBuildError(service.name, thrown);
  }
  return { file, bytes: (await stat(file)).size, durationMs: performance.now() - startedAt };
}

/** The compiler's complaints, with the lines they are about, as an `invalid`. */
export async function toBuildError(name: string, thrown: unknown, colour = false): Promise<AppError> {
  if (!isBuildFailure(thrown)) return new AppError("internal", `${name} could not be built`, { cause: thrown });
  const messages: string[] = await formatMessages(thrown.errors, { kind: "error", color: colour });
  return new AppError("invalid", `${name} does not build\n${messages.join("").trimEnd()}`);
}

function isBuildFailure(thrown: unknown): thrown is BuildFailure {
  return thrown instanceof Error && "errors" in thrown && Array.isArray(thrown.errors);
}
