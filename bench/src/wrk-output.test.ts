import assert from "node:assert/strict";
import test from "node:test";
import { parseWrkOutput } from "./wrk-output.ts";

const CLEAN = `Running 5s test @ http://127.0.0.1:8080/api/v1/users?limit=20
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.63ms    1.12ms  28.11ms   88.02%
    Req/Sec    11.43k   612.34    12.51k    74.00%
  Latency Distribution
     50%  870.00us
     75%    5.87ms
     90%    6.61ms
     99%    1.25s
  56871 requests in 5.00s, 23.10MB read
Requests/sec:  11370.16
Transfer/sec:      4.62MB
`;

test("the figures are read, times in any unit as milliseconds", () => {
  assert.deepEqual(parseWrkOutput(CLEAN), {
    requests: 56871,
    requestsPerSecond: 11370.16,
    p50Ms: 0.87,
    p99Ms: 1250,
    errors: 0,
  });
});

test("all that went wrong is one sum: connections, timeouts and refusing replies", () => {
  const failures = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n";
  assert.equal(parseWrkOutput(CLEAN.replace("Requests/sec", `${failures}Requests/sec`)).errors, 54_321);
  assert.equal(parseWrkOutput(CLEAN.replace("Requests/sec", `  Non-2xx or 3xx responses: 7\nRequests/sec`)).errors, 7);
});

test("a run without a single reply has no percentiles to speak of", () => {
  const silent = CLEAN.replace("870.00us", "0.00us").replace("1.25s", "0.00us").replace("56871", "0");
  assert.deepEqual(parseWrkOutput(silent).p99Ms, 0);
  assert.equal(parseWrkOutput(silent).requests, 0);
});

test("output that wrk does not print is an error", () => {
  assert.throws(() => parseWrkOutput("unable to connect to 127.0.0.1:1 Connection refused"), { code: "internal" });
  assert.throws(() => parseWrkOutput(CLEAN.replace("99%", "98%")), { code: "internal" });
});
