import { userStoreSuite } from "../../model/user-store.suite.ts";
import { MemoryUserStore } from "./memory-user-store.ts";

userStoreSuite("the memory store", async () => {
  const store = new MemoryUserStore();
  return { store, announced: async () => store.facts.map(({ kind, user }) => `${kind} ${user.id}`) };
});
