import { orderStoreSuite } from "../../model/order-store.suite.ts";
import { MemoryOrderStore } from "./memory-order-store.ts";

orderStoreSuite("the memory store", async () => {
  const store = new MemoryOrderStore();
  return { store, announced: async () => store.facts.map(({ kind, order }) => `${kind} ${order.id}`) };
});
