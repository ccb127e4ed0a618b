/** The sources of a service with so many operations, five a resource: its contract, its handlers, and a caller of each. */
export function manyRoutes(operations: number): Readonly<Record<string, string>> {
  const resources = Array.from({ length: Math.ceil(operations / OPERATIONS_A_RESOURCE) }, (_, n) => `thing${n}`);
  const each = (source: (name: string) => string) => resources.map(source).join("\n");
  return {
    "contract.ts": `import { api, del, get, patch, post } from "parapet/contract";
import { Type } from "typebox";

const ById = Type.Object({ id: Type.String({ format: "uuid" }) });
const Page = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })), cursor: Type.Optional(Type.String()) });
${each(schemas)}
export const manyApi = api("many", {
${each(contract)}
});
`,
    "handlers.ts": `import { implement, type Route } from "parapet/http";
import { manyApi } from "./contract.ts";

const time = new Date().toISOString();
export const routes: readonly Route[] = implement(manyApi, {
${each(handlers)}
});
`,
    "caller.ts": `import type { Client } from "parapet/client";
import type { Context } from "parapet/context";
import type { manyApi } from "./contract.ts";

export async function callAll(ctx: Context, client: Client<typeof manyApi>): Promise<readonly unknown[]> {
  const id = "01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41";
  return [
${each(calls)}
  ];
}
`,
  };
}

const OPERATIONS_A_RESOURCE = 5;

const schemas = (name: string) => `const ${name} = Type.Object({
  id: Type.String({ format: "uuid" }),
  name: Type.String({ minLength: 1, maxLength: 100 }),
  status: Type.Union([Type.Literal("open"), Type.Literal("paid"), Type.Literal("canceled")]),
  lines: Type.Array(Type.Object({ sku: Type.String(), quantity: Type.Integer(), note: Type.Optional(Type.String()) })),
  total: Type.Object({ amount: Type.Integer(), currency: Type.String() }),
  version: Type.Integer(),
  createdAt: Type.String({ format: "date-time" }),
});
const new_${name} = Type.Object({ name: ${name}.properties.name, lines: ${name}.properties.lines });
const ${name}_page = Type.Object({ items: Type.Array(${name}), nextCursor: Type.Optional(Type.String()) });`;

const contract = (name: string) => `  list_${name}: get("/api/v1/${name}", { query: Page, reply: ${name}_page }),
  get_${name}: get("/api/v1/${name}/{id}", { params: ById, reply: ${name}, version: "version", errors: ["not_found"] }),
  create_${name}: post("/api/v1/${name}", { body: new_${name}, status: 201, reply: ${name}, version: "version", idempotent: true }),
  update_${name}: patch("/api/v1/${name}/{id}", { params: ById, body: new_${name}, reply: ${name}, ifMatch: true }),
  delete_${name}: del("/api/v1/${name}/{id}", { params: ById, status: 204 }),`;

const thing = (id: string, of: string) =>
  `{ id: ${id}, name: ${of}.name, status: "open" as const, lines: ${of}.lines, total: { amount: 1, currency: "EUR" }, version: 1, createdAt: time }`;

const handlers = (
  name: string,
) => `  list_${name}: async (_ctx, { query: { limit = 1 } }) => ({ items: [], nextCursor: String(limit) }),
  get_${name}: async (_ctx, { params }) => (${thing("params.id", '{ name: "", lines: [] }')}),
  create_${name}: async (ctx, { body, once }) => {
    once.replying((id: string) => (${thing("id", "body")}));
    return ${thing("String(ctx.deadline)", "body")};
  },
  update_${name}: async (_ctx, { params, body, expected }) => (${thing("params.id.slice(expected?.length)", "body")}),
  delete_${name}: async (_ctx, { params }) => void params.id,`;

const calls = (name: string) => `    (await client.list_${name}(ctx)).items[0]?.total.amount,
    (await client.get_${name}(ctx, { params: { id } })).lines[0]?.note,
    (await client.create_${name}(ctx, { body: { name: "a", lines: [] }, idempotencyKey: "k" })).status === "paid",
    (await client.update_${name}(ctx, { params: { id }, body: { name: "b", lines: [] }, expected: 1 })).version,
    await client.delete_${name}(ctx, { params: { id } }),`;
