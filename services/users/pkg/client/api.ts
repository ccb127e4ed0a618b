import { api, del, get, patch, post } from "parapet/contract";
import { type Static, Type } from "typebox";

const id = Type.String({ format: "uuid", description: "a UUID, for example 01932c07-4e2a-7d53-9b1f-6a2f0c8e5d41" });

const name = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: "^(?!\\s)[^\\p{Cc}]*(?<!\\s)$",
  description: "text without control characters, and without spaces at its ends",
});

// The pattern of HTML's `<input type="email">`; only a message that arrives proves more.
const email = Type.String({
  maxLength: 254,
  pattern:
    "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@" +
    "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
  description: "an email address, for example ada@example.com",
});

const time = Type.String({ format: "date-time" });

/** Which user. */
export const ById = Type.Object({ id });

/** A user as the world sees it. `version` counts its changes and is its `ETag`. */
export const User = Type.Object(
  { id, name, email, version: Type.Integer({ minimum: 1 }), createdAt: time, updatedAt: time },
  { $id: "User" },
);
export type User = Static<typeof User>;

/** What it takes to create a user. No two users have one email address, whatever its case. */
export const NewUser = Type.Object({ name, email }, { $id: "NewUser" });
export type NewUser = Static<typeof NewUser>;

/** A JSON merge patch: what it does not name stays as it is. */
export const UserChange = Type.Object(
  { name: Type.Optional(name), email: Type.Optional(email) },
  { $id: "UserChange", minProperties: 1 },
);
export type UserChange = Static<typeof UserChange>;

/** How many users a page holds when the caller does not say. */
export const DEFAULT_LIMIT = 20;

/** Which page of a list. */
export const Page = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: DEFAULT_LIMIT })),
  cursor: Type.Optional(Type.String({ maxLength: 64, description: "the nextCursor of an earlier page" })),
});

/** Users in the order of their creation; without `nextCursor` it is the last page. */
export const UserPage = Type.Object(
  { items: Type.Array(User), nextCursor: Type.Optional(Type.String()) },
  { $id: "UserPage" },
);
export type UserPage = Static<typeof UserPage>;

/** The contract of the users service: what it takes, what it gives, and the errors to be ready for. */
export const usersApi = api("users", {
  listUsers: get("/api/v1/users", { query: Page, reply: UserPage }),
  getUser: get("/api/v1/users/{id}", { params: ById, reply: User, version: "version", errors: ["not_found"] }),
  createUser: post("/api/v1/users", {
    body: NewUser,
    status: 201,
    reply: User,
    version: "version",
    location: "/api/v1/users/{id}",
    idempotent: true,
    errors: ["conflict"],
  }),
  updateUser: patch("/api/v1/users/{id}", {
    params: ById,
    body: UserChange,
    ifMatch: true,
    reply: User,
    version: "version",
    errors: ["not_found", "conflict", "stale"],
  }),
  deleteUser: del("/api/v1/users/{id}", { params: ById, ifMatch: true, status: 204, errors: ["not_found", "stale"] }),
});
