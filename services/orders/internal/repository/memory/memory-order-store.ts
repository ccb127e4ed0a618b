import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
import { MemoryOnceTransactions } from "parapet/idempotency";
import { afterHearing, type Customer } from "../../model/customer.ts";
import { type Order, orderNotFound } from "../../model/order.ts";
import type {
  CustomerReader,
  CustomerRepository,
  OrderRange,
  OrderReader,
  OrderRepository,
} from "../../model/order-repository.ts";
import type { OrderFact, OrderStore, OrderTransaction } from "../../model/order-store.ts";

/** Keeps orders in this process: for tests. One transaction runs at a time. */
export class MemoryOrderStore implements OrderStore {
  /** What the committed transactions announced, oldest first. */
  readonly facts: OrderFact[] = [];
  readonly #orders = new MemoryOrders();
  readonly #customers = new MemoryCustomers();
  readonly #transactions = new MemoryOnceTransactions();

  get orders(): OrderReader {
    return this.#orders;
  }

  get customers(): CustomerReader {
    return this.#customers;
  }

  async transaction<T>(ctx: Context, work: (tx: OrderTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    const facts: OrderFact[] = [];
    const [orders, customers] = [this.#orders, this.#customers];
    const result = await this.#transactions.run(ctx, {
      work: () => work({ orders, customers, announce: (fact) => facts.push(fact) }),
      remember: () => {
        const restores = [orders.remember(), customers.remember()];
        return () => {
          for (const restore of restores) restore();
        };
      },
      once,
    });
    this.facts.push(...facts);
    return result;
  }
}

class MemoryOrders implements OrderRepository {
  #orders = new Map<string, Order>();

  /** Gives what makes all as it is now. */
  remember(): () => void {
    const before = new Map(this.#orders);
    return () => {
      this.#orders = before;
    };
  }

  async list(ctx: Context, { userId, after = "", limit }: OrderRange): Promise<Order[]> {
    ctx.throwIfDone();
    return this.#sorted((order) => order.userId === userId && order.id > after).slice(0, limit);
  }

  async get(ctx: Context, id: string): Promise<Order> {
    ctx.throwIfDone();
    const order = this.#orders.get(id);
    if (order === undefined) throw orderNotFound();
    return order;
  }

  async create(ctx: Context, order: Order): Promise<void> {
    ctx.throwIfDone();
    this.#orders.set(order.id, order);
  }

  async update(ctx: Context, id: string, change: (order: Order) => Order): Promise<Order> {
    const changed = change(await this.get(ctx, id));
    this.#orders.set(id, changed);
    return changed;
  }

  async updateOpen(
    ctx: Context,
    { userId, limit }: { readonly userId: string; readonly limit: number },
    change: (order: Order) => Order,
  ): Promise<Order[]> {
    ctx.throwIfDone();
    const open = this.#sorted((order) => order.userId === userId && order.status === "open");
    const changed = open.slice(0, limit).map(change);
    for (const order of changed) this.#orders.set(order.id, order);
    return changed;
  }

  #sorted(isWanted: (order: Order) => boolean): Order[] {
    return [...this.#orders.values()].filter(isWanted).sort((one, other) => (one.id < other.id ? -1 : 1));
  }
}

class MemoryCustomers implements CustomerRepository {
  #customers = new Map<string, Customer>();

  /** Gives what makes all as it is now. */
  remember(): () => void {
    const before = new Map(this.#customers);
    return () => {
      this.#customers = before;
    };
  }

  async find(ctx: Context, id: string): Promise<Customer | undefined> {
    ctx.throwIfDone();
    return this.#customers.get(id);
  }

  async hold(ctx: Context, id: string): Promise<Customer> {
    const customer = (await this.find(ctx, id)) ?? { id, version: 0, isDeleted: false };
    this.#customers.set(id, customer);
    return customer;
  }

  async hear(ctx: Context, heard: Customer): Promise<void> {
    this.#customers.set(heard.id, afterHearing(await this.find(ctx, heard.id), heard));
  }
}
