import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCE = fileURLToPath(new URL("../peers/fastify/main.ts", import.meta.url));
// Where its packages are found from.
const FILE = fileURLToPath(new URL("../dist/fastify-peer.mjs", import.meta.url));

/** Makes one JavaScript file of the Fastify peer, so that it pays for no compiler while it runs, and gives its path. */
export async function buildFastifyPeer(): Promise<string> {
  await build({
    entryPoints: [SOURCE],
    outfile: FILE,
    bundle: true,
    packages: "external",
    platform: "node",
    target: "node20",
    format: "esm",
  });
  return FILE;
}
