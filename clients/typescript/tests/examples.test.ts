/** The examples of the docs, which scripts/examples.mjs has taken out of them. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = new URL("./examples/", import.meta.url);
const examples = readdirSync(folder).filter((file) => file.endsWith(".js"));

test("there are examples", () => assert.ok(examples.length > 5));

for (const example of examples) {
  test(`the example ${example} runs`, { concurrency: true, timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL(example, folder))], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let complaints = "";
    child.stderr.on("data", (bytes) => {
      complaints += bytes;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0, complaints);
  });
}
