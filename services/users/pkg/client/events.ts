import { event } from "parapet/contract";
import { User } from "./api.ts";

/** A user was created: the user as it is. */
export const userCreated = event("users.user.created.v1", User);
/** A user was changed: the user as it is now. */
export const userUpdated = event("users.user.updated.v1", User);
/** A user was deleted: the user as it was last. */
export const userDeleted = event("users.user.deleted.v1", User);
