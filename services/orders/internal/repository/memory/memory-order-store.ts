import type { Context } from "parapet/context";
import type { Once } from "parapet/contract";
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

interface KeptReply {
  readonly fingerprint: string;
  readonly reply: string;
}

/** Keeps orders in this process: for tests. One transaction runs at a time. */
export class MemoryOrderStore implements OrderStore {
  /** What the committed transactions announced, oldest first. */
  readonly facts: OrderFact[] = [];
  readonly #orders = new MemoryOrders();
  readonly #customers = new MemoryCustomers();
  readonly #replies = new Map<string, KeptReply>();
  #turn: Promise<unknown> = Promise.resolve();

  get orders(): OrderReader {
    return this.#orders;
  }

  get customers(): CustomerReader {
    return this.#customers;
  }

  transaction<T>(ctx: Context, work: (tx: OrderTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    const done = this.#turn.then(() => this.#transact(ctx, work, once));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #transact<T>(ctx: Context, work: (tx: OrderTransaction) => Promise<T>, once?: Once<T>): Promise<T> {
    ctx.throwIfDone();
    const claim = once?.take();
    const fingerprint = claim?.kind === "request" ? claim.fingerprint : "";
    const name = JSON.stringify({ ...claim, fingerprint: undefined });
    const kept = claim && this.#replies.get(name);
    if (kept !== undefined && kept.fingerprint !== fingerprint) once?.refuseMismatch();
    if (kept !== undefined) once?.replay(kept.reply);
    const facts: OrderFact[] = [];
    const tx = { orders: this.#orders, customers: this.#customers, announce: (fact: OrderFact) => facts.push(fact) };
    const undo = [this.#orders.remember(), this.#customers.remember()];
    const result = await work(tx).catch((thrown) => {
      for (const restore of undo) restore();
      throw thrown;
    });
    this.facts.push(...facts);
    if (once && claim) this.#replies.set(name, { fingerprint, reply: once.encode(result) });
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
