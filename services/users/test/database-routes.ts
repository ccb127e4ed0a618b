import { randomUUID } from "node:crypto";
import { sendJson } from "./users-json.ts";

/** Asks a route; the number makes the request differ from others. */
export type Ask = (number: number) => Promise<Response>;

/** The routes that need the database: of a page, of somebody whom no cache knows, and the changes, two of them of `id`. */
export function databaseRoutes(users: string, id: string) {
  return {
    list: () => fetch(users),
    get: () => fetch(`${users}/${randomUUID()}`),
    create: (number) => sendJson("POST", users, { name: "Jo", email: `jo-${number}@example.com` }),
    update: (number) => sendJson("PATCH", `${users}/${id}`, { name: `Jo ${number}` }),
    remove: () => fetch(`${users}/${id}`, { method: "DELETE" }),
  } as const satisfies Record<string, Ask>;
}

/** Asks these in turn. */
export function inTurn(asks: readonly Ask[]): Ask {
  return (number) => (asks[number % asks.length] as Ask)(number);
}
