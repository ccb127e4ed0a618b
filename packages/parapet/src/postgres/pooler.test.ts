import assert from "node:assert/strict";
import test from "node:test";
import { testContext } from "../testing/test-context.ts";
import { isShared, type PooledSession } from "./pooler.ts";

/** A pooler as its clients see it: it takes their sessions back after each transaction, or never. */
function poolerOf(takesBack: "never" | "gives last" | "gives longest") {
  const free: number[] = [];
  let sessions = 1000;
  let clients = 0;
  const connect = async (): Promise<PooledSession> => {
    clients++;
    let pid: number | undefined;
    let isInTransaction = false;
    const run: PooledSession["run"] = async (_ctx, { text }) => {
      pid ??= (takesBack === "gives longest" ? free.shift() : free.pop()) ?? ++sessions;
      const rows = [{ pid }];
      isInTransaction = text === "begin" || (isInTransaction && text !== "commit");
      if (takesBack !== "never" && !isInTransaction) {
        free.push(pid);
        pid = undefined;
      }
      return { rows, rowCount: rows.length, command: text };
    };
    return { processId: 1, run, close: async () => {} };
  };
  return { connect, clients: () => clients };
}

test("a session that a pooler gives to others between transactions is found out, whoever's turn it is", async () => {
  for (const takesBack of ["gives last", "gives longest"] as const) {
    const { connect } = poolerOf(takesBack);
    assert.equal(await isShared(testContext(), await connect(), connect), true, takesBack);
  }
});

test("a session that a pooler leaves to its client until that leaves is not shared", async () => {
  const { connect } = poolerOf("never");
  assert.equal(await isShared(testContext(), await connect(), connect), false);
});

test("a session that leads to its server itself needs no second one to tell", async () => {
  const { connect, clients } = poolerOf("never");
  const session = { ...(await connect()), processId: 1001 };
  assert.equal(await isShared(testContext(), session, connect), false);
  assert.equal(clients(), 1);
});
