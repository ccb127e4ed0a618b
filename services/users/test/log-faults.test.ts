import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Database, sql } from "parapet/postgres";
import { eventually, type LoadReport, type LogLine, type Service, startLoad, testContext } from "parapet/testing";
import { logPipe } from "./log-pipe.ts";
import { scrape } from "./scrape.ts";
import { SERVER, startUsers } from "./users-process.ts";

const MIB = 1024 * 1024;
/** The queue of 4 MiB, and what V8 takes for the handling. */
const MAX_EXCESS_BYTES = 16 * MIB;
/** Serves until the test's end without the lame duck, which these tests have no use for. */
const env = { DRAIN_DELAY_MS: "0" };

const skip = !existsSync("/dev/full") && "needs /dev/full";

test("G2: a full disk under the log stops no request, and what it costs is counted", { skip }, async (t) => {
  const service = await startUsers(t, { env, stdout: { file: "/dev/full" } });
  await serves(t, service, 500);
  await floodLog(t, service);
  await serves(t, service, 500);
  await endsCleanly(service);
});

test("G2: when there is room again, the lines that waited are written, and none is lost", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "parapet-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "log");
  // Blocks of 512 bytes: 64 KiB. What the process writes beyond fails, as on a full disk.
  const main = ["sh", "-c", 'ulimit -f 128; exec "$0" "$1"', process.execPath, SERVER];
  const service = await startUsers(t, { main, env, stdout: { file } });
  const { attempted } = await serves(t, service, 400);
  const full = readFileSync(file, "utf8");
  assert.ok(Buffer.byteLength(full) <= 64 * 1024);
  assert.ok(accessLines(full).length < attempted);

  truncateSync(file);
  const ids = () => new Set(accessLines(full + readFileSync(file, "utf8")).map(({ request_id }) => request_id));
  await eventually(() => ids().size === attempted);
  const { headers } = await fetch(service.users);
  await eventually(() => ids().has(headers.get("x-request-id")));
  assert.equal(await dropped(service), 0);
  await endsCleanly(service);
});

test("G3: a log reader that stops neither slows the service nor lets it grow, and what it missed is counted", async (t) => {
  const pipe = logPipe(t);
  const [unread, read] = [await startUsers(t, { env, stdout: { file: pipe.input } }), await startUsers(t, { env })];
  await Promise.all([floodLog(t, unread), serves(t, read, 700, longPath)]);
  await failOnce(unread);

  const [slow, normal] = await Promise.all([serves(t, unread, 5000), serves(t, read, 5000)]);
  const [mostMs, usualMs] = [slow.latencyMs(99), normal.latencyMs(99)];
  assert.ok(mostMs <= 2 * usualMs + 50, `p99 of ${mostMs} ms, and of ${usualMs} ms with a reader`);
  // V8 sizes its young generation as it goes, here sooner and there later; what grew without end would never be back.
  await eventually(async () => {
    const excess = (await residentBytes(unread)) - (await residentBytes(read));
    t.diagnostic(`${round(excess / MIB)} MiB more than with a reader`);
    if (excess <= MAX_EXCESS_BYTES) return true;
    await Promise.all([serves(t, unread, 1000), serves(t, read, 1000)]);
    return false;
  }, 30_000);
  t.diagnostic(`p99 ${round(mostMs)} ms, with a reader ${round(usualMs)} ms`);

  pipe.startReading();
  await eventually(() => pipe.text.includes("log lines were dropped"));
  const { headers } = await fetch(unread.users);
  await eventually(() => pipe.text.includes(String(headers.get("x-request-id"))));
  const lines = linesIn(pipe.text);
  const report = lines.find(({ msg }) => msg === "log lines were dropped");
  assert.equal(report?.dropped_lines, await dropped(unread));
  assert.equal(accessLines(pipe.text).length + Number(report?.dropped_lines), await requestsCounted(unread));
  assert.equal(lines.filter(({ level }) => level === "error").length, 1, "what matters most is dropped last");
  t.diagnostic(`${lines.length} lines read in the end, ${report?.dropped_lines} dropped`);
});

test("G4: the death of the log's reader stops no request, is no reason to end, and is counted", async (t) => {
  const pipe = logPipe(t);
  pipe.startReading();
  const service = await startUsers(t, { env, stdout: { file: pipe.input } });
  await serves(t, service, 100);
  await eventually(() => accessLines(pipe.text).length >= 100);
  pipe.die();
  await serves(t, service, 500);
  await floodLog(t, service);
  await serves(t, service, 500);
  await endsCleanly(service);
});

test("G4: a log that nobody ever read stops no request either, nor a clean end", async (t) => {
  const service = await startUsers(t, { env, stdout: "closed" });
  await serves(t, service, 500);
  await floodLog(t, service);
  await serves(t, service, 500);
  await endsCleanly(service);
});

type ToPath = (number: number) => string;

const usersPath: ToPath = () => "/api/v1/users?limit=5";
const longPath: ToPath = (number) => `/${String(number).padEnd(7000, "x")}`;

/** Has so many requests answered, and none failed but those for what is not there. */
async function serves(t: TestContext, service: Service, requests: number, path = usersPath): Promise<LoadReport> {
  const load = startLoad(t, {
    url: service.url,
    keepAliveClients: 8,
    freshClients: 0,
    maxThinkMs: 0,
    request: (number) => ({ path: path(number) }),
  });
  await eventually(() => load.report().attempted >= requests, 60_000);
  const report = await load.stop();
  const expected = path === usersPath ? {} : { "status 404": report.attempted };
  assert.deepEqual(report.failures, expected);
  return report;
}

/** Logs until there is no room for more, 4 MiB, and lines are dropped. */
async function floodLog(t: TestContext, service: Service): Promise<void> {
  await serves(t, service, 700, longPath);
  assert.ok((await dropped(service)) > 0);
}

/** Has a request fail that is the service's fault. */
async function failOnce({ database, users }: { database: Database; users: string }): Promise<void> {
  await database.execute(testContext(), sql`alter table users rename to elsewhere`);
  assert.equal((await fetch(users)).status, 500);
  await database.execute(testContext(), sql`alter table elsewhere rename to users`);
}

async function endsCleanly(service: Service): Promise<void> {
  assert.equal((await fetch(`${service.url}/livez`)).status, 200);
  service.kill();
  const { code, signal } = await service.exited;
  assert.deepEqual([code, signal, service.stderr], [0, null, ""]);
}

async function dropped(service: Service): Promise<number> {
  return (await scrape(service)).series.get("log_dropped_total") ?? Number.NaN;
}

async function residentBytes(service: Service): Promise<number> {
  return (await scrape(service)).series.get("process_resident_memory_bytes") ?? Number.NaN;
}

/** The requests that had an access line; those for probes and metrics have none. */
async function requestsCounted(service: Service): Promise<number> {
  const { series } = await scrape(service);
  const counts = [...series].filter(([name]) => /^http_requests_total\{.*endpoint="(\/api|__other__)/.test(name));
  return counts.reduce((sum, [, count]) => sum + count, 0);
}

function accessLines(text: string): readonly LogLine[] {
  return linesIn(text).filter(({ msg }) => msg === "request");
}

/** The lines that came through whole. */
function linesIn(text: string): readonly LogLine[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

function round(number: number): number {
  return Math.round(number * 10) / 10;
}
