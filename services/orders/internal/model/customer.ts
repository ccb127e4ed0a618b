import type { Context } from "parapet/context";
import { AppError } from "parapet/errors";

/** What is known here of a user: what users' events said, or that an order was placed for it. */
export interface Customer {
  /** The user's id, a UUID in lower case. */
  readonly id: string;
  /** The user's latest version that was heard of, 0 when none was yet. */
  readonly version: number;
  /** For good: no other user gets the id. */
  readonly isDeleted: boolean;
}

/** Who knows every user: the users service. */
export interface UserDirectory {
  /** Tells whether there is such a user. Throws `unavailable` or `timeout` when nobody says. */
  has(ctx: Context, id: string): Promise<boolean>;
}

/** What is known after hearing of a customer: the newer of two, since events may come late, and in any order once it is gone. */
export function afterHearing(known: Customer | undefined, heard: Customer): Customer {
  if (known === undefined) return heard;
  return {
    id: known.id,
    version: Math.max(known.version, heard.version),
    isDeleted: known.isDeleted || heard.isDeleted,
  };
}

/** `invalid`, naming the field: orders are for users that there are. */
export function noSuchCustomer(): AppError {
  return new AppError("invalid", "an order is for a user that there is", {
    violations: [{ in: "body", field: "userId", rule: "exists", detail: "must be the id of a user" }],
  });
}
