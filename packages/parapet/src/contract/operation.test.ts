import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { AppError } from "../errors/index.ts";
import {
  api,
  del,
  get,
  type InputOf,
  type Operation,
  patch,
  post,
  put,
  type ReplyOf,
  successStatus,
} from "./operation.ts";

const ById = Type.Object({ id: Type.String() });
const Thing = Type.Object({ id: Type.String(), version: Type.Integer() });

function problemOf(operation: Operation): string | undefined {
  try {
    api("things", { it: operation });
    return undefined;
  } catch (thrown) {
    assert.ok(thrown instanceof AppError && thrown.code === "internal");
    assert.equal(thrown.fields.operation, "things.it");
    return thrown.message;
  }
}

test("an operation that is in order is declared with its method and path", () => {
  for (const [declare, method] of [
    [get, "GET"],
    [post, "POST"],
    [put, "PUT"],
    [patch, "PATCH"],
    [del, "DELETE"],
  ] as const) {
    const operation = declare("/things/{id}", { params: ById, reply: Thing, version: "version" });
    assert.equal(problemOf(operation), undefined);
    assert.deepEqual([operation.method, operation.path], [method, "/things/{id}"]);
  }
});

test("a path must be a template that its params fit", () => {
  const names = "an operation has other names in its path than in its params";
  assert.equal(problemOf(get("/things/{id}", {})), names);
  assert.equal(problemOf(get("/things/{name}", { params: ById })), names);
  assert.equal(problemOf(get("/things", { params: ById })), names);
  const template = "an operation needs a path like /plain/{whole_segment}";
  for (const path of [
    "things",
    "",
    "/things/",
    "/things/{id}.json",
    "/things/:id",
    "/things/{id}/{",
    "/th*",
    "//a",
    "/a b",
    "/a?b",
  ]) {
    assert.equal(problemOf(get(path, { params: ById })), template, path);
  }
  assert.equal(problemOf(get("/", {})), undefined);
  assert.equal(problemOf(get("/a-b/c_d/e.f/~g", {})), undefined);
});

test("what contradicts itself is found when it is declared", () => {
  assert.equal(problemOf(get("/", { body: Thing })), "an operation is a GET and has a body");
  assert.equal(
    problemOf(post("/", { reply: Thing, status: 204 })),
    "an operation has a reply and a status that allows none",
  );
  const version = "an operation has a version that is no integer of its reply";
  assert.equal(problemOf(get("/", { reply: Thing, version: "revision" })), version);
  assert.equal(problemOf(get("/", { reply: Thing, version: "id" })), version);
  assert.equal(problemOf(get("/", { version: "version" })), version);
  const location = "an operation has a location that its reply can't fill";
  assert.equal(problemOf(post("/", { reply: Thing, location: "/things/{key}" })), location);
  assert.equal(problemOf(post("/", { location: "/things/{id}" })), location);
  assert.equal(problemOf(post("/", { reply: Thing, location: "/things/{id}" })), undefined);
});

test("rules that no document could show are refused, wherever they stand", () => {
  const refined = Type.Refine(Type.String(), (text) => text !== "");
  const decoded = Type.Decode(Type.String(), (text) => text.length);
  const hidden = "an operation has a rule that JSON Schema can't show";
  for (const schema of [refined, decoded]) {
    assert.equal(problemOf(post("/", { body: schema })), hidden);
    assert.equal(problemOf(post("/", { body: Type.Object({ a: Type.Array(Type.Optional(schema)) }) })), hidden);
    assert.equal(problemOf(get("/", { query: Type.Object({ a: schema }) })), hidden);
    assert.equal(problemOf(get("/", { reply: Type.Union([Type.Null(), schema]) })), hidden);
  }
});

test("success is 200 with a reply and 204 without, unless an operation says", () => {
  assert.deepEqual(
    [
      successStatus({ reply: Thing }),
      successStatus({}),
      successStatus({ reply: Thing, status: 201 }),
      successStatus({ status: 202 }),
    ],
    [200, 204, 201, 202],
  );
});

/** Fails to compile when the two types differ. */
function same<A, B>(_: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never): void {}

test("a handler's input has exactly the parts that its operation declares, and its reply is the declared one", () => {
  const bare = get("/", {});
  same<keyof InputOf<(typeof bare)["options"]>, never>(true);
  same<ReplyOf<(typeof bare)["options"]>, void>(true);
  const full = patch("/{id}", {
    params: ById,
    query: Type.Object({ dry: Type.Boolean() }),
    body: Thing,
    reply: Thing,
    ifMatch: true,
  });
  type Input = InputOf<(typeof full)["options"]>;
  same<keyof Input, "params" | "query" | "body" | "expected">(true);
  same<Input["params"], { id: string }>(true);
  same<Input["query"], { dry: boolean }>(true);
  same<Input["body"], { id: string; version: number }>(true);
  same<Input["expected"], readonly number[] | undefined>(true);
  same<ReplyOf<(typeof full)["options"]>, { id: string; version: number }>(true);
});
