const id = { type: "string", format: "uuid" };
const name = { type: "string", minLength: 1, maxLength: 100 };
const email = { type: "string", format: "email", maxLength: 254 };
const time = { type: "string", format: "date-time" };

const user = {
  type: "object",
  required: ["id", "name", "email", "version", "createdAt", "updatedAt"],
  properties: { id, name, email, version: { type: "integer" }, createdAt: time, updatedAt: time },
};

const byId = { type: "object", required: ["id"], properties: { id } };

/** What the routes take and give. */
export const listSchema = {
  querystring: {
    type: "object",
    properties: { limit: { type: "integer", minimum: 1, maximum: 100, default: 20 }, cursor: id },
  },
  response: {
    200: {
      type: "object",
      required: ["items"],
      properties: { items: { type: "array", items: user }, nextCursor: { type: "string" } },
    },
  },
};
export const getSchema = { params: byId, response: { 200: user } };
export const createSchema = {
  body: { type: "object", required: ["name", "email"], properties: { name, email } },
  response: { 201: user },
};
export const deleteSchema = { params: byId };
