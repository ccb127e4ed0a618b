import assert from "node:assert/strict";
import type { Service } from "parapet/testing";
import { Value } from "typebox/value";
import { User } from "../pkg/client/index.ts";

/** Sends JSON. */
export function sendJson(
  method: string,
  url: string,
  json: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const body = JSON.stringify(json);
  return fetch(url, { method, headers: { "content-type": "application/json", ...headers }, body });
}

/**
 * A request as the bytes that go over the wire, a character each, on a connection that ends with it. `body` is JSON, as
 * text when it is not to be well-formed.
 */
export function rawJson(method: string, path: string, body?: object | string): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: users\r\nconnection: close\r\n`;
  if (body === undefined) return `${head}\r\n`;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return `${head}content-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}

/** Creates Ada, `ada@example.com`. */
export async function createAda({ url }: Service): Promise<User> {
  const created = await sendJson("POST", `${url}/api/v1/users`, { name: "Ada", email: "ada@example.com" });
  assert.equal(created.status, 201);
  return userOf(created);
}

/** The user in a reply. */
export async function userOf(reply: Response): Promise<User> {
  const user: unknown = await reply.json();
  assert.ok(Value.Check(User, user), JSON.stringify(user));
  return user;
}
