import { randomUUID } from "node:crypto";

export interface User {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly version: number;
  /** A `Date` from the database, its ISO string from the cache. */
  readonly createdAt: Date | string;
  readonly updatedAt: Date | string;
}

export type NewUser = Pick<User, "name" | "email">;

/** Keeps users. */
export interface Users {
  find(id: string): Promise<User | undefined>;
  list(after: string, limit: number): Promise<User[]>;
  /** Throws a 409 when the email address is taken. */
  create(user: User): Promise<void>;
  /** Tells whether there was one. */
  delete(id: string): Promise<boolean>;
}

/** The first version of a user. */
export function newUser({ name, email }: NewUser): User {
  const now = new Date();
  return { id: newId(), name, email, version: 1, createdAt: now, updatedAt: now };
}

/** A UUID of version 7: in the order of their ids, users are in the order of their creation. */
export function newId(): string {
  const millis = Date.now().toString(16).padStart(12, "0");
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7${randomUUID().slice(15)}`;
}
