import assert from "node:assert/strict";
import test from "node:test";
import { announcedIn, describeStatements, postgresSandbox } from "parapet/testing";
import { migrations } from "../../../migrations/index.ts";
import { orderStoreSuite } from "../../model/order-store.suite.ts";
import { PostgresOrderStore } from "./postgres-order-store.ts";

orderStoreSuite("the Postgres store", async (t) => {
  const { database } = await postgresSandbox(t, { migrations });
  return { store: new PostgresOrderStore(database), announced: () => announcedIn(database) };
});

// The statements that this describes are the ones that ran above.
test("every statement fits the schema, with the types that its rows declare", async (t) => {
  const { url } = await postgresSandbox(t, { migrations });
  assert.deepEqual(await describeStatements(url, new URL(".", import.meta.url)), []);
});
