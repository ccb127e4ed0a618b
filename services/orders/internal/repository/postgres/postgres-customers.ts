import type { Context } from "parapet/context";
import { type Queryable, type RowOf, row, sql, type Transaction } from "parapet/postgres";
import type { Customer } from "../../model/customer.ts";
import type { CustomerReader, CustomerRepository } from "../../model/order-repository.ts";

const CustomerRow = row({ id: "uuid", version: "int4", is_deleted: "bool" });

export class PostgresCustomerReader implements CustomerReader {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async find(ctx: Context, id: string): Promise<Customer | undefined> {
    const [found] = await this.#db.query(
      ctx,
      sql(CustomerRow)`select id, version, is_deleted from customers where id = ${id}`,
    );
    return found && toCustomer(found);
  }
}

export class PostgresCustomerRepository extends PostgresCustomerReader implements CustomerRepository {
  readonly #tx: Transaction;

  constructor(tx: Transaction) {
    super(tx);
    this.#tx = tx;
  }

  async hold(ctx: Context, id: string): Promise<Customer> {
    this.#tx.executeSoon(sql`insert into customers (id, version) values (${id}, 0) on conflict (id) do nothing`);
    const [held] = await this.#tx.query(
      ctx,
      // Shared: orders of one customer don't wait for each other, but for who hears that it is gone.
      sql(CustomerRow)`select id, version, is_deleted from customers where id = ${id} for share`,
    );
    return held === undefined ? { id, version: 0, isDeleted: false } : toCustomer(held);
  }

  async hear(ctx: Context, { id, version, isDeleted }: Customer): Promise<void> {
    ctx.throwIfDone();
    this.#tx.executeSoon(sql`
      insert into customers as known (id, version, is_deleted) values (${id}, ${version}, ${isDeleted})
      on conflict (id) do update
      set version = greatest(known.version, excluded.version), is_deleted = known.is_deleted or excluded.is_deleted
      where excluded.version > known.version or (excluded.is_deleted and not known.is_deleted)`);
  }
}

function toCustomer({ id, version, is_deleted }: RowOf<typeof CustomerRow>): Customer {
  return { id, version, isDeleted: is_deleted };
}
