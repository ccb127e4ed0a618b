import type { BuildOptions } from "esbuild";
import { type Service, versionOf } from "./workspace.ts";

/**
 * How esbuild makes a service one ESM file that runs without `node_modules`: SQL files become strings, and a workspace's
 * own packages are taken from their sources.
 */
export function bundleOptions(service: Service, outfile: string) {
  return {
    entryPoints: [service.entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["parapet-source"],
    loader: { ".sql": "text" },
    // An optional peer of pg that it asks for inside a try.
    external: ["pg-native"],
    define: { "process.env.NODE_ENV": '"production"' },
    banner: { js: `${requireForEsm}${versionDefault(versionOf(service))}` },
    sourcemap: "linked",
    metafile: true,
    logLevel: "silent",
  } as const satisfies BuildOptions;
}

/** CommonJS packages call `require`, which ESM lacks. */
export const requireForEsm =
  'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);';

/** A bundle knows its version, unless it is told another where it runs. */
const versionDefault = (version: string): string => `process.env.SERVICE_VERSION||=${JSON.stringify(version)};`;
