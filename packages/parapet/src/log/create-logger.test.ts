import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppError } from "../errors/index.ts";
import { createLogger, type LogFields, type Logger, type LogLevel, prepareLine, registerSecret } from "./index.ts";

interface Written {
  readonly log: Logger;
  readonly raw: string[];
  readonly levels: LogLevel[];
  /** The last line, parsed. */
  last(): Record<string, unknown>;
}

function written(level: LogLevel = "info"): Written {
  const raw: string[] = [];
  const levels: LogLevel[] = [];
  const sink = {
    write(lineLevel: LogLevel, line: string): void {
      levels.push(lineLevel);
      raw.push(line);
    },
  };
  const log = createLogger({ service: "users", version: "1.2.3", level, sink });
  return { log, raw, levels, last: () => JSON.parse(raw.at(-1) ?? "{}") };
}

function logged(fields: LogFields): Record<string, unknown> {
  const { log, last } = written();
  log.info("something happened", fields);
  return last();
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("a line holds level, time, message, service and version, then the fields in their order", () => {
  const { log, raw, levels } = written();
  log.warn("disk is filling up", { free_bytes: 12, path: "/data", ok: false, owner: null });
  assert.match(
    raw[0] ?? "",
    /^\{"level":"warn","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","msg":"disk is filling up","service":"users","version":"1\.2\.3","free_bytes":12,"path":"\/data","ok":false,"owner":null\}\n$/,
  );
  assert.deepEqual(levels, ["warn"]);
});

test("a version that nobody told is dev", () => {
  const lines: string[] = [];
  createLogger({ service: "x", level: "info", sink: { write: (_level, line) => lines.push(line) } }).info("hello");
  assert.equal(JSON.parse(lines[0] ?? "").version, "dev");
});

test("each method writes at its level, and lines below the level are not written", () => {
  const { log, levels } = written("warn");
  log.debug("no");
  log.info("no");
  log.warn("yes");
  log.error("yes");
  assert.deepEqual(levels, ["warn", "error"]);
  assert.deepEqual([log.isEnabled("info"), log.isEnabled("warn"), log.isEnabled("error")], [false, true, true]);
});

test("changing the level changes it for the whole family of a logger, at once", () => {
  const { log, levels } = written("info");
  const child = log.child({ request_id: "1" });
  child.level = "debug";
  log.debug("yes");
  log.level = "error";
  child.warn("no");
  assert.deepEqual(levels, ["debug"]);
  assert.equal(child.level, "error");
});

test("a child's lines carry its fields and its parents', a nearer one instead of a farther one", () => {
  const { log, raw, last } = written();
  const child = log.child({ request_id: "1", step: "a" }).child({ step: "b" });
  child.info("done", { request_id: "2", count: 3 });
  assert.deepEqual([last().request_id, last().step, last().count], ["2", "b", 3]);
  assert.equal(raw[0]?.split('"step"').length, 2, "no key stands twice in a line");
  log.info("done");
  assert.equal("request_id" in last(), false);
});

test("a field that is called like a line's own gets another name", () => {
  const line = logged({ level: "x", msg: "y", time: 1, service: "z", version: 2 });
  assert.deepEqual(
    [line.level, line.msg, line.service, line.version],
    ["info", "something happened", "users", "1.2.3"],
  );
  assert.deepEqual([line["fields.level"], line["fields.msg"], line["fields.time"]], ["x", "y", 1]);
});

test("fields that look like a request are fields", () => {
  const line = logged({ method: "GET", headers: "x", socket: 1 });
  assert.deepEqual([line.msg, line.method, line.socket], ["something happened", "GET", 1]);
});

test("text cannot break out of its line, steer a terminal or turn text around", () => {
  const { log, raw, last } = written();
  const hostile = '"}\n{"level":"error","msg":"forged"}\r\u0000\u001b[31m\u0085\u009b2J\u2028\u2029\u202e';
  log.info(hostile, { hostile, [hostile]: 1 });
  assert.equal(raw[0]?.match(/[\p{Cc}\u2028\u2029\u202e]/gu)?.join(), "\n", "only the newline at its end");
  assert.deepEqual([last().msg, last().hostile, last()[hostile]], [hostile, hostile, 1]);
});

test("values that JSON has no word for are written anyway", () => {
  const line = logged({
    big: 12n,
    symbol: Symbol("s"),
    nothing: undefined,
    call: () => 1,
    nan: Number.NaN,
    date: new Date(0),
    bad_date: new Date(Number.NaN),
    bytes: Buffer.from("hello"),
    url: new URL("http://localhost/x"),
    list: [undefined, 1n, () => 1],
  });
  assert.deepEqual([line.big, line.symbol, line.nan], ["12", "Symbol(s)", null]);
  assert.deepEqual(["nothing" in line, "call" in line], [false, false]);
  assert.deepEqual([line.date, line.bad_date, line.bytes], ["1970-01-01T00:00:00.000Z", null, "[5 bytes]"]);
  assert.deepEqual([line.url, line.list], ["http://localhost/x", [null, "1", null]]);
});

test("a field that cannot be read costs itself, not the line", () => {
  const throwing = () => {
    throw new Error("no");
  };
  const hostile = new Proxy({}, { get: throwing, ownKeys: throwing, getPrototypeOf: throwing, has: throwing });
  const line = logged({
    hostile,
    in_list: [hostile],
    to_json: { toJSON: throwing },
    get getter() {
      return throwing();
    },
    error: hostile,
    fine: 1,
  });
  assert.deepEqual([line.hostile, line.in_list, line.to_json], ["[unreadable]", ["[unreadable]"], "[unreadable]"]);
  assert.deepEqual([line.getter, line.fine, typeof line.error], ["[unreadable]", 1, "object"]);
  const { log, last } = written();
  log.info("still here", hostile);
  assert.equal(last().msg, "still here");
});

test("an own __proto__ field changes nothing but the line", () => {
  const line = logged(JSON.parse('{"__proto__":{"polluted":true},"fine":1}'));
  assert.deepEqual([line.fine, "polluted" in line, "polluted" in {}], [1, false, false]);
});

test("cycles and depth end at six levels", () => {
  const cycle: Record<string, unknown> = { list: [] };
  cycle.self = cycle;
  cycle.list = [cycle];
  assert.equal(depthOf(logged({ cycle })), 6);
  let toJsonCalls = 0;
  const endless = {
    toJSON() {
      toJsonCalls++;
      return endless;
    },
  };
  logged({ endless });
  assert.ok(toJsonCalls <= 6);
});

test("a line is at most 16 KiB of valid JSON with its head intact, however much it is given", () => {
  const huge = {
    text: "é".repeat(1_000_000),
    list: Array.from({ length: 20_000 }, (_, index) => ({ index, text: "x".repeat(100) })),
    object: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`key_${index}`, "\u0001".repeat(50)])),
  };
  for (const fields of [huge, { text: huge.text }, { list: huge.list }, huge.object, { error: new Error(huge.text) }]) {
    const { log, raw, last } = written();
    log.info("m".repeat(100_000), fields);
    assert.ok(Buffer.byteLength(raw[0] ?? "") <= 16_384);
    assert.deepEqual([last().level, last().service, last().truncated], ["info", "users", true]);
    assert.match(String(last().msg), /^m{64}/);
  }
});

test("any fields give one line of valid JSON within its bounds", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true })),
      (msg, fields) => {
        const { log, raw } = written();
        log.info(msg, fields);
        const line = raw[0] ?? "";
        assert.equal(line.indexOf("\n"), line.length - 1);
        assert.ok(Buffer.byteLength(line) <= 16_384);
        assert.ok(depthOf(JSON.parse(line)) <= 6);
      },
    ),
  );
});

test("an error shows its allow-listed parts and its causes, under any field's name", () => {
  const cause = Object.assign(new Error("connection refused"), { code: "ECONNREFUSED", detail: "never shown" });
  const thrown = new AppError("unavailable", "the database is away", { cause, fields: { attempts: 3 } });
  const line = JSON.parse(JSON.stringify(logged({ error: thrown, first: cause })));
  assert.deepEqual(
    [line.error.name, line.error.message, line.error.code, line.error.fields],
    ["AppError", "the database is away", "unavailable", { attempts: 3 }],
  );
  assert.match(line.error.stack, /create-logger\.test/);
  assert.deepEqual([line.error.cause.code, line.first.message], ["ECONNREFUSED", "connection refused"]);
  assert.equal("detail" in line.error.cause, false);
});

test("an error field takes anything thrown", () => {
  assert.deepEqual(logged({ error: "just text" }).error, { message: "just text" });
  assert.deepEqual(logged({ error: null }).error, { message: "null" });
  assert.deepEqual(logged({ error: { message: "m", secretly: "s" } }).error, { message: "m" });
});

test("a sink that throws does not throw out of the log", () => {
  const sink = {
    write(): void {
      throw new Error("no");
    },
  };
  createLogger({ service: "x", level: "info", sink }).info("hello");
});

test("a prepared line is written like any other: timed, scrubbed, bounded, subject to the level", () => {
  registerSecret("prepared-line-canary");
  const { log, raw, last, levels } = written();
  const write = prepareLine(log.child({ request_id: "7" }), "info", "request");
  write('"status":200,"path":"/a?b=prepared-line-canary"');
  assert.deepEqual(Object.keys(last()), ["level", "time", "msg", "service", "version", "request_id", "status", "path"]);
  assert.deepEqual([last().msg, last().status, last().path], ["request", 200, "/a?b=[masked]"]);
  write(`"path":"${"x".repeat(40_000)}"`);
  assert.ok((raw.at(-1)?.length ?? 0) <= 16_384);
  log.level = "warn";
  write('"status":500');
  assert.deepEqual(levels, ["info", "info"]);
});

test("a prepared line needs a logger of this room", () => {
  const { log } = written();
  assert.throws(() => prepareLine({ ...log, child: () => log } as Logger, "info", "x"), { code: "internal" });
});
