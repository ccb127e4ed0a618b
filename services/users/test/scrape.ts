import { eventually, type Service } from "parapet/testing";

/** What `/metrics` said at one time. */
export interface Scrape {
  readonly text: string;
  /** Every series by its name and labels, as they are written: `http_requests_total{method="GET",…}`. */
  readonly series: ReadonlyMap<string, number>;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** Reads the metrics of a service. */
export async function scrape({ url }: Service): Promise<Scrape> {
  const startedAt = performance.now();
  const text = await (await fetch(`${url}/metrics`)).text();
  return { text, series: parseSeries(text), ms: performance.now() - startedAt };
}

function parseSeries(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

/** What a series of `/metrics` is now. One with labels may not be there yet; without labels it is, unless its name is wrong. */
export async function counted(service: Service, series: string): Promise<number> {
  return (await scrape(service)).series.get(series) ?? (series.includes("{") ? 0 : Number.NaN);
}

/** Waits until the service works on so many requests. */
export async function underWay(service: Service, requests: number): Promise<void> {
  // The one for the metrics is one too.
  await eventually(async () => (await scrape(service)).series.get("http_requests_in_flight") === requests + 1);
}

/** Nobody is served but who asks, and every connection to the database is free. */
export async function isAtRest(service: Service): Promise<boolean> {
  const { series } = await scrape(service);
  return (
    series.get("http_requests_in_flight") === 1 &&
    series.get("postgres_pool_waiting") === 0 &&
    series.get("postgres_pool_idle_connections") === series.get("postgres_pool_connections")
  );
}
