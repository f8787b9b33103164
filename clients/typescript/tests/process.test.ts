/** What keeps a process alive: calls that are under way do, locks don't. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { client, name, SERVER } from "./support/server.js";

/** Runs a program that uses the client, and answers what it printed and its exit code. */
async function run(program: string): Promise<[string, number | null]> {
  const source = `import { Gorilla } from "gorilla-client"; const g = new Gorilla({ url: "${SERVER}" });\n${program}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (bytes) => {
    text += bytes;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return [text.trim(), code];
}

test("a lock that is held doesn't keep the process alive", async () => {
  const begun = performance.now();
  const [text, code] = await run(
    `const lock = await g.acquire("${name()}", { ttlMs: 60_000 }); console.log(lock.held);`,
  );
  assert.deepEqual([text, code], ["true", 0]);
  assert.ok(performance.now() - begun < 20_000);
});

test("a call that is under way keeps the process alive", async () => {
  const { gorilla } = client();
  const resource = name();
  const lock = await gorilla.acquire(resource);
  setTimeout(() => void lock.release(), 1500);
  const program = `await g.using("${resource}", { waitMs: 60_000 }, () => console.log("acquired"));
    g.acquire("${name()}", { ttlMs: 60_000 }).then((lock) => lock.release()).then(console.log);`;
  assert.deepEqual(await run(program), ["acquired\ntrue", 0]);
  const unreachable = await run(
    `g.acquire("${name()}").then((lock) => lock.release()); process.on("exit", () => console.log("end"))`,
  );
  assert.deepEqual(unreachable, ["end", 0]);
});

test("a program ends soon after close", async () => {
  const begun = performance.now();
  const [text] = await run(`await g.acquire("${name()}"); await g.close(); console.log("closed");`);
  assert.equal(text, "closed");
  assert.ok(performance.now() - begun < 10_000);
});
