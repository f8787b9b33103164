/** Has a database reject the late writes of a previous holder. */

import { SupersededError } from "./errors.js";

/** The table in which `fenceIn` keeps, for each lock, the largest floor that has written. */
export const FENCE_TABLE =
  "CREATE TABLE IF NOT EXISTS gorilla_fence (resource text PRIMARY KEY, fence bigint NOT NULL)";

/** What `fenceIn` needs of a lock: a `Lock`, or what `inherited()` answers. */
export interface Fenced {
  readonly resource: string;
  readonly fence: number;
  readonly floor: number;
}

/** What drivers answer to a statement that changes rows. */
export type Changed =
  | number
  | bigint
  | { readonly rowCount: number | null }
  | { readonly affectedRows?: number | undefined }
  | { readonly changes: number | bigint };

/** A connection or transaction of a driver, or a function that executes a statement. */
export type Database =
  /** pg, PGlite */
  | { query(sql: string, values: unknown[]): Promise<Changed> }
  /** node:sqlite, better-sqlite3, bun:sqlite */
  | { prepare(sql: string): { run(...values: (string | number)[]): Changed } }
  /** any other driver; `$1` to `$3` stand for the values */
  | ((sql: string, values: (string | number)[]) => Changed | Promise<Changed>);

/** What to fence. */
export interface FenceOptions {
  /** What is written to, if it isn't what is locked. */
  readonly resource?: string | undefined;
  /** The name of the table. */
  readonly table?: string | undefined;
}

/**
 * Notes in the database that this holder writes, unless a later holder has written. Call it in the transaction of the
 * write, first of all: other holders then wait for the end of the transaction.
 *
 * @throws SupersededError if a later holder has written: roll back.
 */
export async function fenceIn(database: Database, lock: Fenced, options: FenceOptions = {}): Promise<void> {
  const { resource = lock.resource, table = "gorilla_fence" } = options;
  if (!/^[a-z_]\w*(\.[a-z_]\w*)?$/i.test(table))
    throw new TypeError(`${JSON.stringify(table)} is not the name of a table`);
  const values: [string, number, number] = [resource, lock.floor, lock.fence];
  if (changed(await execute(database, table, values)) === 0) throw new SupersededError(resource, lock.fence);
}

/** The row keeps the largest floor, and refuses a fence below it. */
function statement(table: string, [resource, floor, fence]: [string, string, string]): string {
  const name = table.split(".").at(-1);
  return `INSERT INTO ${table} (resource, fence) VALUES (${resource}, ${floor}) \
ON CONFLICT (resource) DO UPDATE SET fence = CASE WHEN ${name}.fence < excluded.fence THEN excluded.fence ELSE ${name}.fence END \
WHERE ${name}.fence <= ${fence}`;
}

async function execute(database: Database, table: string, values: [string, number, number]): Promise<Changed> {
  if ("prepare" in database) return database.prepare(statement(table, ["?1", "?2", "?3"])).run(...values);
  const sql = statement(table, ["$1", "$2", "$3"]);
  return typeof database === "function" ? database(sql, values) : database.query(sql, values);
}

function changed(result: Changed): number {
  if (typeof result === "number" || typeof result === "bigint") return Number(result);
  const rows = Object.entries(result).find(([member]) => ["rowCount", "affectedRows", "changes"].includes(member))?.[1];
  // A driver that tells nothing must not pass for a write that was allowed.
  if (typeof rows !== "number" && typeof rows !== "bigint") {
    throw new TypeError("the database does not tell how many rows it has changed");
  }
  return Number(rows);
}
