import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { assertHardlySlower } from "./hardly-slower.ts";
import type { LoadOptions } from "./load.ts";

/** Requests to a server that takes so long, and fails some of them. */
async function loadOn(t: TestContext, takesMs: number, failsEach = 0): Promise<LoadOptions> {
  let requests = 0;
  const server = createServer((_, response) => {
    if (failsEach > 0 && ++requests % failsEach === 0) response.statusCode = 503;
    setTimeout(() => response.end("{}"), takesMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const request = () => ({ path: "/" });
  return { url: `http://127.0.0.1:${port}`, keepAliveClients: 2, freshClients: 0, maxThinkMs: 5, request };
}

test("a process that takes as long as the other passes, one that takes much longer or fails a request does not", async (t) => {
  const [fast, other, slow, failing] = await Promise.all([loadOn(t, 5), loadOn(t, 5), loadOn(t, 60), loadOn(t, 5, 50)]);
  let seconds = 0;
  const meanwhile = async () => void seconds++;
  await Promise.all([
    assertHardlySlower(t, { busy: other, calm: fast, times: { p50: 2, p99: 2 }, meanwhile }),
    assert.rejects(assertHardlySlower(t, { busy: slow, calm: fast, times: { p50: 2, p99: 2 } }), /p50/),
    assert.rejects(assertHardlySlower(t, { busy: failing, calm: fast, times: { p50: 2, p99: 2 } }), /status 503/),
  ]);
  assert.equal(seconds, 4);
});
