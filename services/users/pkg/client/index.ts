export { ById, DEFAULT_LIMIT, NewUser, Page, User, UserChange, UserPage, usersApi } from "./api.ts";
export { userCreated, userDeleted, userUpdated } from "./events.ts";
