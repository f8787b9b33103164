// What must hold in each runtime: Node.js, Deno and Bun run this file. It ends by itself, although it holds a lock.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import process from "node:process";
import { Gorilla, LockLostError, NotAcquiredError, SKIPPED, UnavailableError, UnknownError } from "../dist/index.js";

const gorilla = new Gorilla();
const name = (of) => `runtime-${of}-${crypto.randomUUID()}`;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Serves what a test says, on a port of its own. */
async function serve(handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

// A lock is renewed while the body runs, others are told who has it, and it is released.
const resource = name("lock");
const events = [];
await gorilla.using(resource, { ttlMs: 900, onEvent: ({ event }) => events.push(event) }, async (lock, lost) => {
  await assert.rejects(
    gorilla.acquire(resource),
    (error) => error instanceof NotAcquiredError && error.holder.fence === lock.fence,
  );
  await sleep(1500);
  lock.check();
  assert.equal(lost.aborted, false);
});
assert.ok(events.filter((event) => event === "renewed").length >= 2);
assert.equal(events.at(-1), "released");

// Several are renewed together.
await gorilla.usingAll([name("a"), name("b")], { ttlMs: 900 }, async (set) => {
  await sleep(1200);
  set.check();
});

// What waits is served, and can be cancelled.
const first = await gorilla.acquire(resource);
const second = gorilla.acquire(resource, { waitMs: 30_000 });
await assert.rejects(gorilla.acquire(resource, { waitMs: 30_000, signal: AbortSignal.timeout(200) }), {
  name: "TimeoutError",
});
await first.release();
await (await second).release();

// Once, and elections.
const job = gorilla.once(name("job"), { atLeastMs: 5000 }, () => "done");
assert.deepEqual([await job(), await job()], ["done", SKIPPED]);
assert.equal(await gorilla.elect(name("election"), (leader) => leader.term > 0), true);

// Nobody listens: nothing was done. The connection broke: nobody knows.
const { server: closed, url: gone } = await serve(() => {});
await new Promise((resolve) => closed.close(resolve));
await assert.rejects(new Gorilla({ url: gone, patienceMs: 300 }).acquire("x"), UnavailableError);
const { server: breaking, url: breaks } = await serve((request) => request.socket.destroy());
await assert.rejects(new Gorilla({ url: breaks, patienceMs: 300 }).acquire("x"), UnknownError);
breaking.close();

// A redirect is refused.
const { server: redirecting, url: redirects } = await serve((_, response) =>
  response.writeHead(302, { location: gorilla.url }).end(),
);
await assert.rejects(new Gorilla({ url: redirects }).acquire("x"), { code: "redirect" });
redirecting.close();

// A runtime that was blocked knows at the first call.
const blocked = await gorilla.acquire(name("blocked"), { ttlMs: 300 });
const until = performance.now() + 400;
while (performance.now() < until);
assert.throws(() => blocked.check(), LockLostError);

// The stream is read as it comes.
const { server: streaming, url: streams } = await serve((_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`event: granted\ndata: ${JSON.stringify({ type: "granted", cursor: "e.1", resource: "a" })}\n\n`);
});
for await (const event of new Gorilla({ url: streams }).watch()) {
  assert.equal(event.resource, "a");
  break;
}
streaming.closeAllConnections?.();
streaming.close();

// A lock doesn't keep the process alive.
await gorilla.acquire(name("held"), { ttlMs: 600_000 });
const runtime = globalThis.Deno
  ? `Deno ${Deno.version.deno}`
  : globalThis.Bun
    ? `Bun ${Bun.version}`
    : `Node.js ${process.version}`;
console.log(`${runtime}: all is well`);
