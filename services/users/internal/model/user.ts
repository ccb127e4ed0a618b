import { AppError } from "parapet/errors";

export interface User {
  /** A UUID in lower case. Version 7: in the order of their ids, users are in the order of their creation. */
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** 1 for a new user, one more with each change. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type NewUser = Pick<User, "name" | "email">;
export type UserChange = Partial<NewUser>;

/** The versions of a user that a caller has in mind; undefined when it does not care. */
export type ExpectedVersions = readonly number[] | undefined;

/** The one spelling of a user's id; UUIDs are read in either case. */
export function toUserId(uuid: string): string {
  return uuid.toLowerCase();
}

/** What is unique about an email address: neither case nor Unicode composition makes it another. */
export function emailKey(email: string): string {
  return email.normalize("NFC").toLowerCase();
}

/** The first version of a user. */
export function newUser(id: string, { name, email }: NewUser, now: Date): User {
  return { id, name, email, version: 1, createdAt: now, updatedAt: now };
}

/** The next version of a user, or the very same user when the change makes no difference. */
export function changeUser(user: User, change: UserChange, now: Date): User {
  const { name = user.name, email = user.email } = change;
  if (name === user.name && email === user.email) return user;
  return { ...user, name, email, version: user.version + 1, updatedAt: now };
}

/** Throws `stale` when the user has none of the expected versions. */
export function assertExpected(user: User, expected: ExpectedVersions): void {
  if (expected === undefined || expected.includes(user.version)) return;
  throw new AppError("stale", "the user has another version by now");
}

/** `not_found`, in the words of every repository. */
export function userNotFound(): AppError {
  return new AppError("not_found", "no user has this id");
}

/** `conflict`, naming the field, in the words of every repository. */
export function emailTaken(): AppError {
  return new AppError("conflict", "another user has this email address", {
    violations: [{ in: "body", field: "email", rule: "unique", detail: "must not be the address of another user" }],
  });
}
