import { type RowOf, row } from "parapet/postgres";
import type { User } from "../../model/user.ts";

export const UserRow = row({
  id: "uuid",
  name: "text",
  email: "text",
  version: "int4",
  created_at: "timestamptz",
  updated_at: "timestamptz",
});
export type UserRow = RowOf<typeof UserRow>;

export function toUser({ id, name, email, version, created_at, updated_at }: UserRow): User {
  return { id, name, email, version, createdAt: created_at, updatedAt: updated_at };
}
