import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../results/", import.meta.url);

/** Writes a page of figures into `results/<name>.md`. */
export async function writeReport(name: string, report: string): Promise<void> {
  const file = new URL(`${name}.md`, FOLDER);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(file, report);
  console.log(`written to ${fileURLToPath(file)}`);
}
