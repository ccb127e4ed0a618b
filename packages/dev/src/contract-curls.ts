import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { type Api, type Operation, validator } from "parapet/contract";
import { bundleOptions, requireForEsm } from "./bundle-options.ts";
import type { PlacedService } from "./dev-service.ts";
import { exampleOf } from "./schema-example.ts";

/**
 * Commands that try a service, read from the contract it publishes (`pkg/client/index.ts`): create something, list, and
 * see the metrics. They can be pasted into any shell. A service without a contract has its metrics only.
 */
export async function contractCurls(service: PlacedService): Promise<string[]> {
  const metrics = `curl localhost:${service.port}/metrics`;
  try {
    return [...operationCurls(await loadApis(service), service.port), metrics];
  } catch {
    // What can't be built or read is shown where the service itself is, which matters more than examples.
    return [metrics];
  }
}

function operationCurls(apis: readonly Api[], port: number): string[] {
  const operations = apis.flatMap((api) => Object.values(api.operations));
  const plain = operations.filter(({ path }) => !path.includes("{"));
  const create = plain.filter(({ method }) => method === "POST").map((operation) => postCurl(operation, port));
  const list = plain.filter(({ method }) => method === "GET").map(({ path }) => `curl localhost:${port}${path}`);
  return [create.find((curl) => curl !== undefined), list[0]].filter((curl) => curl !== undefined);
}

async function loadApis(service: PlacedService): Promise<Api[]> {
  const entry = join(service.dir, "pkg", "client", "index.ts");
  if (!existsSync(entry)) return [];
  const outfile = join(service.workDir, "contract.mjs");
  await build({ ...bundleOptions(service, outfile), entryPoints: [entry], banner: { js: requireForEsm } });
  const exports: Record<string, unknown> = await import(pathToFileURL(outfile).href);
  return Object.values(exports).filter(isApi);
}

function isApi(value: unknown): value is Api {
  return typeof value === "object" && value !== null && "name" in value && "operations" in value;
}

function postCurl({ path, options }: Operation, port: number): string | undefined {
  if (options.body === undefined) return undefined;
  const example = exampleOf(options.body, Math.random().toString(36).slice(2, 6));
  if (!validator(options.body).accepts(example)) return undefined;
  const body = JSON.stringify(example).replaceAll("'", "'\\''");
  return `curl -i localhost:${port}${path} -H 'content-type: application/json' -d '${body}'`;
}
