import type { usersApi } from "@services/users";
import type { Client } from "parapet/client";
import type { Context } from "parapet/context";
import { hasCode } from "parapet/errors";
import type { UserDirectory } from "../model/customer.ts";

/** Asks the users service. */
export class UsersGateway implements UserDirectory {
  readonly #users: Pick<Client<typeof usersApi>, "getUser">;

  constructor(users: Pick<Client<typeof usersApi>, "getUser">) {
    this.#users = users;
  }

  async has(ctx: Context, id: string): Promise<boolean> {
    try {
      await this.#users.getUser(ctx, { params: { id } });
      return true;
    } catch (thrown) {
      if (hasCode(thrown, "not_found")) return false;
      throw thrown;
    }
  }
}
