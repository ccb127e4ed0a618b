import pg from "pg";

/** One column of what a statement gives, as the server sees it. */
export interface DescribedColumn {
  readonly name: string;
  /** As a row would declare it: `text`, `int4[]`. */
  readonly type: string;
  /** Undefined where the server can't say: an expression, a view. */
  readonly nullable: boolean | undefined;
}

/** What a row description says of a column. */
interface Field {
  readonly name: string;
  readonly tableID: number;
  readonly columnID: number;
  readonly dataTypeID: number;
}

/** What the server says of a statement: the columns that it gives, none without rows, or why it can't be run. */
export type Description = { readonly columns: readonly DescribedColumn[] } | { readonly refusedBecause: string };

export interface Describer {
  /** Has the server describe a statement, which does not run. */
  describe(text: string): Promise<Description>;
  close(): Promise<void>;
}

/** Opens a connection that describes statements. */
export async function openDescriber(url: string): Promise<Describer> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return { describe: (text) => describeOn(client, text), close: () => client.end() };
}

async function describeOn(client: pg.Client, text: string): Promise<Description> {
  try {
    const fields = await describeFields(client, text);
    const types = await typeNames(client, fields);
    const nullables = await tableColumns(client, fields);
    const columns = fields.map(({ name, tableID, columnID, dataTypeID }) => ({
      name,
      type: types.get(dataTypeID) ?? "unknown",
      nullable: nullables.get(`${tableID}.${columnID}`),
    }));
    return { columns };
  } catch (thrown) {
    if (thrown instanceof pg.DatabaseError) return { refusedBecause: thrown.message };
    throw thrown;
  }
}

function describeFields(client: pg.Client, text: string): Promise<readonly Field[]> {
  return new Promise((resolve, reject) => {
    let fields: readonly Field[] = [];
    // Parse and Describe without Execute is not something the driver offers; it takes a query of one's own instead.
    client.query({
      submit(connection: pg.Connection) {
        connection.parse({ name: "", text, types: [] }, true);
        connection.describe({ type: "S", name: "" }, true);
        connection.sync();
      },
      handleRowDescription(message: { readonly fields: readonly Field[] }) {
        fields = message.fields;
      },
      handleError: reject,
      handleReadyForQuery() {
        resolve(fields);
      },
    } satisfies pg.Submittable & Record<string, unknown>);
  });
}

async function typeNames(client: pg.Client, fields: readonly Field[]): Promise<ReadonlyMap<number, string>> {
  const oids = fields.map(({ dataTypeID }) => dataTypeID);
  const { rows } = await client.query<{ oid: number; type: string; is_array: boolean }>(
    // Strings and enums all arrive as text.
    `select t.oid, t.typcategory = 'A' as is_array,
       case when e.typcategory in ('S', 'E') then 'text' else e.typname end as type
     from pg_type t join pg_type e on e.oid = case when t.typcategory = 'A' then t.typelem else t.oid end
     where t.oid = any($1)`,
    [oids],
  );
  return new Map(rows.map(({ oid, type, is_array }) => [oid, is_array ? `${type}[]` : type]));
}

async function tableColumns(client: pg.Client, fields: readonly Field[]): Promise<ReadonlyMap<string, boolean>> {
  const { rows } = await client.query<{ place: string; nullable: boolean }>(
    `select attrelid || '.' || attnum as place, not attnotnull as nullable
     from pg_attribute join pg_class on pg_class.oid = attrelid
     where attrelid = any($1) and relkind in ('r', 'p', 'f')`,
    [fields.map(({ tableID }) => tableID)],
  );
  return new Map(rows.map(({ place, nullable }) => [place, nullable]));
}
