import { parseCursor } from "parapet/contract";
import { implement, type Route } from "parapet/http";
import { DEFAULT_LIMIT, usersApi } from "../../pkg/client/index.ts";
import { toUserId } from "../model/user.ts";
import type { UserService } from "../service/user-service.ts";
import { toUserPage, toUserView } from "./user-view.ts";

/** The contract's operations, answered by the service. */
export function userRoutes(users: UserService): readonly Route[] {
  return implement(usersApi, {
    listUsers: async (ctx, { query: { limit = DEFAULT_LIMIT, cursor } }) =>
      toUserPage(await users.list(ctx, { limit, after: cursor === undefined ? undefined : parseCursor(cursor) })),
    getUser: async (ctx, { params }) => toUserView(await users.get(ctx, toUserId(params.id))),
    createUser: async (ctx, { body, once }) => toUserView(await users.create(ctx, body, once.replying(toUserView))),
    updateUser: async (ctx, { params, body, expected }) =>
      toUserView(await users.update(ctx, toUserId(params.id), { change: body, expected })),
    deleteUser: async (ctx, { params, expected }) => users.delete(ctx, toUserId(params.id), { expected }),
  });
}
