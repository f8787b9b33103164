/** The fence helper, on SQLite and PostgreSQL. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { type Database, FENCE_TABLE, type Fenced, fenceIn, inherited, SupersededError } from "gorilla-client";
import { client, name } from "./support/server.js";

/** PostgreSQL in this process, which takes seconds to start. */
const pg = await PGlite.create();

/** The databases, and drivers that take statements in other ways. */
async function databases(): Promise<[string, Database, () => unknown][]> {
  const sqlite = new DatabaseSync(":memory:");
  sqlite.exec(FENCE_TABLE);
  await emptied();
  return [
    [
      "node:sqlite",
      sqlite,
      () =>
        sqlite
          .prepare("SELECT * FROM gorilla_fence")
          .all()
          .map((row) => ({ ...row })),
    ],
    ["PGlite", pg, async () => (await pg.query("SELECT * FROM gorilla_fence")).rows],
    [
      // As pg does, which gives bigints as text.
      "a function",
      async (sql, values) => ({
        rowCount: (await pg.query(sql.replaceAll("gorilla_fence", "like_fence"), values)).affectedRows ?? null,
      }),
      async () => (await pg.query("SELECT * FROM like_fence")).rows,
    ],
  ];
}

async function emptied(): Promise<void> {
  await pg.exec("DROP TABLE IF EXISTS gorilla_fence, like_fence");
  await pg.exec(`${FENCE_TABLE}; ${FENCE_TABLE.replace("gorilla_fence", "like_fence")}`);
}

const exclusive = (fence: number): Fenced => ({ resource: "stock", fence, floor: fence });
const superseded = (error: unknown) => error instanceof SupersededError && error.resource === "stock";

test("a late writer is rejected, and a holder may write many times", async () => {
  for (const [driver, database, rows] of await databases()) {
    const [old, young] = [1795426335496928, 1795426337006948];
    await fenceIn(database, exclusive(old));
    await fenceIn(database, exclusive(young));
    await fenceIn(database, exclusive(young));
    await assert.rejects(fenceIn(database, exclusive(old)), superseded, driver);
    await fenceIn(database, exclusive(old), { resource: "another" });
    assert.deepEqual(await rows(), [
      { resource: "stock", fence: young },
      { resource: "another", fence: old },
    ]);
  }
});

test("those that share a lock don't reject each other, and reject the exclusive holder before them", async () => {
  for (const [driver, database, rows] of await databases()) {
    await fenceIn(database, exclusive(10));
    await fenceIn(database, { resource: "stock", fence: 22, floor: 20 });
    await fenceIn(database, { resource: "stock", fence: 20, floor: 20 });
    await assert.rejects(fenceIn(database, exclusive(10)), superseded, driver);
    assert.deepEqual(await rows(), [{ resource: "stock", fence: 20 }]);
    await fenceIn(database, exclusive(30));
    await assert.rejects(fenceIn(database, { resource: "stock", fence: 22, floor: 20 }), superseded, driver);
  }
});

test("in a transaction that is rolled back nothing is noted", async () => {
  await emptied();
  const failure = new Error("rolled back");
  await assert.rejects(
    pg.transaction(async (transaction) => {
      await fenceIn(transaction, exclusive(5));
      throw failure;
    }),
    failure,
  );
  assert.deepEqual((await pg.query("SELECT * FROM gorilla_fence")).rows, []);
});

test("the lock of a server is fenced, with the table that the caller names", async () => {
  const { gorilla } = client();
  const sqlite = new DatabaseSync(":memory:");
  sqlite.exec(FENCE_TABLE.replace("gorilla_fence", "main.fences"));
  const resource = name();
  const first = await gorilla.acquire(resource);
  await first.release();
  await gorilla.using(resource, async (lock) => {
    await fenceIn(sqlite, lock, { table: "main.fences" });
    await assert.rejects(fenceIn(sqlite, first, { table: "main.fences" }), SupersededError);
  });
  await assert.rejects(fenceIn(sqlite, first, { table: "x; DROP TABLE y" }), TypeError);
});

test("a driver that doesn't tell how many rows changed is no pass", async () => {
  const silent = (() => ({ ok: true })) as unknown as Database;
  await assert.rejects(fenceIn(silent, exclusive(5)), TypeError);
  await assert.rejects(
    fenceIn(() => ({ rowCount: null }), exclusive(5)),
    TypeError,
  );
  await fenceIn(() => 1n, exclusive(5));
  await assert.rejects(
    fenceIn(() => ({ changes: 0n }), exclusive(5)),
    SupersededError,
  );
});

test("a process under gorilla lock inherits its locks", () => {
  const variables = { NAMES: "account-7\naccount-3", FENCES: "1795802276384174\n12", FLOORS: "1795802276384174\n11" };
  for (const [variable, value] of Object.entries(variables)) process.env[`GORILLA_LOCK_${variable}`] = value;
  assert.deepEqual(inherited("account-3"), { resource: "account-3", fence: 12, floor: 11 });
  assert.equal(inherited(), null);
  assert.equal(inherited("another"), null);
  for (const variable of Object.keys(variables)) {
    process.env[`GORILLA_LOCK_${variable}`] = process.env[`GORILLA_LOCK_${variable}`]?.split("\n")[0];
  }
  assert.deepEqual(inherited(), { resource: "account-7", fence: 1795802276384174, floor: 1795802276384174 });
  for (const variable of Object.keys(variables)) delete process.env[`GORILLA_LOCK_${variable}`];
  assert.equal(inherited(), null);
});
