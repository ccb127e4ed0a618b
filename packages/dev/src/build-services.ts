import { relative } from "node:path";
import { AppError, hasCode } from "parapet/errors";
import { type Bundle, bundleService } from "./bundle-service.ts";
import { formatTable } from "./table.ts";
import { findServices } from "./workspace.ts";

// A bundle is parsed at every start: 2.5 MB are some 100 ms of the 300 ms in which a service is to be ready.
const MAX_BUNDLE_BYTES = 2_500_000;

/**
 * Bundles every service of the workspace at once. Throws `invalid` with what is wrong with those that don't build or are
 * larger than 2.5 MB; the others are built all the same.
 */
export async function buildServices(root: string): Promise<Bundle[]> {
  const builds = findServices(root).map(async ({ dir }) => assertSmall(await bundleService({ serviceDir: dir })));
  const failures = (await Promise.allSettled(builds)).filter((result) => result.status === "rejected");
  const bug = failures.find(({ reason }) => !hasCode(reason, "invalid"));
  if (bug !== undefined) throw bug.reason;
  if (failures.length > 0) throw new AppError("invalid", failures.map(({ reason }) => reason.message).join("\n\n"));
  return Promise.all(builds);
}

function assertSmall(bundle: Bundle): Bundle {
  if (bundle.bytes <= MAX_BUNDLE_BYTES) return bundle;
  throw new AppError("invalid", `${bundle.file} has ${bundle.bytes} bytes, and may have ${MAX_BUNDLE_BYTES}`);
}

/** What was built, as a table for people. */
export function formatBundles(bundles: readonly Bundle[], root: string): string {
  return formatTable(
    bundles.map(({ file, bytes, durationMs }) => [
      relative(root, file),
      `${(bytes / 1000).toFixed(0)} kB`,
      `${durationMs.toFixed(0)} ms`,
    ]),
  );
}
