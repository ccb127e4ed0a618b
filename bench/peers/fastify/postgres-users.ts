import pg from "pg";
import { newId, type User, type Users } from "./user.ts";

const UNIQUE_VIOLATION = "23505";
const COLUMNS = `id, name, email, version, created_at as "createdAt", updated_at as "updatedAt"`;

/** Keeps users in PostgreSQL. */
export class PostgresUsers implements Users {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async find(id: string): Promise<User | undefined> {
    const { rows } = await this.#pool.query<User>(`select ${COLUMNS} from users where id = $1`, [id]);
    return rows[0];
  }

  async list(after: string, limit: number): Promise<User[]> {
    const { rows } = await this.#pool.query<User>(`select ${COLUMNS} from users where id > $1 order by id limit $2`, [
      after,
      limit,
    ]);
    return rows;
  }

  /** Saves the user and the message that announces it, both or neither. */
  async create(user: User): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await client.query("begin");
      await insertUser(client, user);
      await insertMessage(client, "user_created", user);
      await client.query("commit");
    } catch (thrown) {
      await client.query("rollback");
      throw isUniqueViolation(thrown) ? Object.assign(new Error("email is taken"), { statusCode: 409 }) : thrown;
    } finally {
      client.release();
    }
  }

  async delete(id: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query("delete from users where id = $1", [id]);
    return rowCount === 1;
  }
}

async function insertUser(client: pg.PoolClient, user: User): Promise<void> {
  const { id, name, email, version, createdAt, updatedAt } = user;
  await client.query(
    `insert into users (id, name, email, email_key, version, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, name, email, email.toLowerCase(), version, createdAt, updatedAt],
  );
}

async function insertMessage(client: pg.PoolClient, type: string, user: User): Promise<void> {
  await client.query(
    `insert into peer_outbox (id, aggregatetype, aggregateid, type, payload, created_at)
     values ($1, 'user', $2, $3, $4, $5)`,
    [newId(), user.id, type, JSON.stringify(user), user.createdAt],
  );
}

function isUniqueViolation(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && thrown.code === UNIQUE_VIOLATION;
}
