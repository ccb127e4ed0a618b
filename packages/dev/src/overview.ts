import { contractCurls } from "./contract-curls.ts";
import type { PlacedService } from "./dev-service.ts";
import { formatTable } from "./table.ts";

/** What runs where, and commands to try it with. */
export async function overview(services: readonly PlacedService[], servers: readonly string[][]): Promise<string> {
  const urls = services.map(({ name, port, databaseUrl }) => [
    name,
    `http://localhost:${port}`,
    `database ${new URL(databaseUrl).pathname.slice(1)}`,
  ]);
  const offers = await Promise.all(services.map(contractCurls));
  // One service's commands are enough to see that it works; the one that offers most is worth seeing.
  const curls = offers.reduce((best, offer) => (offer.length > best.length ? offer : best));
  return `
${formatTable([...urls, ...servers])}

  Try it:
${curls.map((curl) => `    ${curl}`).join("\n")}

  A saved file restarts its service. Ctrl-C stops everything.
`;
}
