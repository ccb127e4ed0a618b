import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { toOpenApi } from "./openapi.ts";
import { api, del, get, post } from "./operation.ts";
import { Problem } from "./problem.ts";

const Tag = Type.String({ $id: "Tag", maxLength: 20 });
const Thing = Type.Object(
  { id: Type.String({ format: "uuid" }), tags: Type.Array(Tag), version: Type.Integer() },
  { $id: "Thing" },
);
const ById = Type.Object({ id: Type.String({ format: "uuid" }) });

const things = api("things", {
  listThings: get("/things", {
    query: Type.Object({ tag: Type.Array(Tag), limit: Type.Optional(Type.Integer({ maximum: 100 })) }),
    reply: Type.Array(Thing),
    summary: "Things by their tags.",
  }),
  getThing: get("/things/{id}", { params: ById, reply: Thing, version: "version", errors: ["not_found"] }),
  addThing: post("/things", {
    body: Type.Object({ tags: Type.Array(Tag) }, { $id: "NewThing" }),
    status: 201,
    reply: Thing,
    version: "version",
    location: "/things/{id}",
    errors: ["conflict", "invalid"],
  }),
  deleteThing: del("/things/{id}", { params: ById, ifMatch: true, errors: ["not_found", "stale"] }),
});

const info = { title: "things", version: "1.2.3" };
const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
const failure = (description: string) => ({ description, content: problem });
const others = failure("any other failure");
const thing = { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } };
const id = { name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } };
const text = { type: "string" };
const etag = { ETag: { schema: text } };

test("contracts become an OpenAPI 3.1 document", () => {
  const document = toOpenApi([things], info);
  const { schemas } = document.components;
  assert.deepEqual(
    { ...document, components: {} },
    {
      openapi: "3.1.0",
      info,
      jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
      paths: {
        "/things": {
          get: {
            operationId: "listThings",
            tags: ["things"],
            summary: "Things by their tags.",
            parameters: [
              {
                name: "tag",
                in: "query",
                required: true,
                schema: { type: "array", items: { $ref: "#/components/schemas/Tag" } },
              },
              { name: "limit", in: "query", schema: { type: "integer", maximum: 100 } },
            ],
            responses: {
              200: {
                description: "OK",
                content: {
                  "application/json": { schema: { type: "array", items: { $ref: "#/components/schemas/Thing" } } },
                },
              },
              400: failure("invalid"),
              default: others,
            },
          },
          post: {
            operationId: "addThing",
            tags: ["things"],
            requestBody: {
              required: true,
              description: "Properties that the schema does not name are refused.",
              content: { "application/json": { schema: { $ref: "#/components/schemas/NewThing" } } },
            },
            responses: {
              201: { description: "Created", headers: { ...etag, Location: { schema: text } }, content: thing },
              400: failure("invalid"),
              409: failure("conflict"),
              default: others,
            },
          },
        },
        "/things/{id}": {
          get: {
            operationId: "getThing",
            tags: ["things"],
            parameters: [
              id,
              {
                name: "If-None-Match",
                in: "header",
                description: "The ETag of a version that is known.",
                schema: text,
              },
            ],
            responses: {
              200: { description: "OK", headers: etag, content: thing },
              304: { description: "Not Modified" },
              400: failure("invalid"),
              404: failure("not_found"),
              default: others,
            },
          },
          delete: {
            operationId: "deleteThing",
            tags: ["things"],
            parameters: [
              id,
              {
                name: "If-Match",
                in: "header",
                description: "The ETag of the version to act on; another one is answered 412.",
                schema: text,
              },
            ],
            responses: {
              204: { description: "No Content" },
              400: failure("invalid"),
              404: failure("not_found"),
              412: failure("stale"),
              default: others,
            },
          },
        },
      },
      components: {},
    },
  );
  assert.deepEqual(Object.keys(schemas), ["NewThing", "Problem", "Tag", "Thing"]);
  assert.deepEqual(schemas.Thing, {
    type: "object",
    required: ["id", "tags", "version"],
    properties: {
      id: { type: "string", format: "uuid" },
      tags: { type: "array", items: { $ref: "#/components/schemas/Tag" } },
      version: { type: "integer" },
    },
  });
  assert.deepEqual(schemas.Problem?.required, Problem.required);
});

test("the same contracts give the same bytes, and nothing but JSON", () => {
  const document = toOpenApi([things], info);
  assert.equal(JSON.stringify(toOpenApi([things], info)), JSON.stringify(document));
  assert.deepEqual(JSON.parse(JSON.stringify(document)), document);
});

test("every reference leads somewhere", () => {
  const document = toOpenApi([things], info);
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name = ""]) => name,
  );
  assert.ok(references.length > 0);
  for (const name of references) assert.ok(name in document.components.schemas, name);
});

test("operations of several contracts stand in one document; one name for two of them is refused", () => {
  const more = api("more", { ping: get("/ping", {}) });
  assert.deepEqual(Object.keys(toOpenApi([things, more], info).paths), ["/things", "/things/{id}", "/ping"]);
  assert.throws(() => toOpenApi([things, api("more", { getThing: get("/ping", {}) })], info), { code: "internal" });
});

test("two schemas of one name are refused, unless they are the same", () => {
  const api2 = (maxLength: number) =>
    api("more", { ping: get("/ping", { reply: Type.String({ $id: "Tag", maxLength }) }) });
  assert.doesNotThrow(() => toOpenApi([things, api2(20)], info));
  assert.throws(() => toOpenApi([things, api2(21)], info), { code: "internal" });
});

test("a property may be called as a keyword is", () => {
  const odd = api("odd", { odd: get("/odd", { reply: Type.Object({ $id: Type.String(), $ref: Type.String() }) }) });
  assert.match(
    JSON.stringify(toOpenApi([odd], info)),
    /"properties":\{"\$id":\{"type":"string"\},"\$ref":\{"type":"string"\}\}/,
  );
});
