import { toCursor, toDateTime } from "parapet/contract";
import type { UserPage as UserPageView, User as UserView } from "../../pkg/client/index.ts";
import type { User } from "../model/user.ts";
import type { UserPage } from "../service/user-service.ts";

/** A user as the contract has it. */
export function toUserView(user: User): UserView {
  return { ...user, createdAt: toDateTime(user.createdAt), updatedAt: toDateTime(user.updatedAt) };
}

/** A page of users as the contract has it. */
export function toUserPage({ users, nextAfter }: UserPage): UserPageView {
  const items = users.map(toUserView);
  return nextAfter === undefined ? { items } : { items, nextCursor: toCursor(nextAfter) };
}
