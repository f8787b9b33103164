// The agent of this client for the conformance runner: clients/conformance/README.md describes it.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { inspect } from "node:util";
import { systemClock } from "../dist/clock.js";
import {
  Gorilla,
  LockLostError,
  lossOf,
  NotAcquiredError,
  RefusedError,
  SKIPPED,
  SupersededError,
  UnavailableError,
  UnknownError,
} from "../dist/index.js";

const WITHOUT = {
  fork: "a process of this runtime can't fork: a child process starts anew and has no locks",
  again: "each acquire makes a lock object of its own",
  cancel_release: "a release takes no signal, so it can't be cancelled",
};

class Cancelled extends Error {}
class BodyError extends Error {}
class Unsupported extends Error {}

let advanced = 0;
const clock = { now: () => systemClock.now() + advanced };
let gorilla;
let lastError;
/** The locks and leaders by their names in the runner. */
const locks = new Map();
/** How to end the body of each scope. */
const scopes = new Map();
/** For each lock the end of its last command. */
const queues = new Map();
/** How to cancel each command that has not been answered. */
const cancels = new Map();
const many = [];

function write(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function client(options = {}) {
  gorilla ??= new Gorilla({ clock, ...options });
  return gorilla;
}

const ms = (seconds) => (seconds === undefined ? undefined : seconds * 1000);

function onEvent(lock) {
  return ({ event, reason, fence, position }) => {
    const line = { event, lock };
    if (reason !== undefined) line.reason = reason;
    if (fence !== undefined) line.fence = String(fence);
    if (position) line.position = position;
    write(line);
  };
}

function optionsOf(command, signal) {
  return {
    ttlMs: ms(command.ttl),
    waitMs: ms(command.wait),
    graceMs: ms(command.grace),
    atLeastMs: ms(command.atLeast),
    maxHoldMs: ms(command.maxHold),
    owner: command.owner,
    metadata: command.metadata,
    mode: command.mode,
    limit: command.limit,
    permits: command.permits,
    signal,
    onEvent: onEvent(command.lock),
  };
}

/** How long the lease lasts. The library tells how long the lock is held: until only the grace is left. */
function leaseOf({ held, leftMs }, { ttl = 30, grace = Math.min(ttl / 6, 5) } = {}) {
  return held && leftMs !== undefined ? Math.floor(leftMs + grace * 1000) : 0;
}

function entered(lock, command) {
  const leftMs = leaseOf(lock, command);
  if (lock.locks) return { fences: lock.locks.map(({ fence }) => String(fence)), leftMs };
  return { fence: String(lock.fence), floor: String(lock.floor), leftMs };
}

/** Enters a scope. Resolves when its body has begun. */
function enter(command, open) {
  const name = command.lock;
  return new Promise((resolve, reject) => {
    const scope = { command };
    scope.ended = open((lock) => {
      locks.set(name, lock);
      scopes.set(name, scope);
      resolve(entered(lock, command));
      return new Promise((leave, fail) => Object.assign(scope, { leave, fail }));
    });
    scope.ended.catch(reject);
  });
}

const commands = {
  client({ patience }) {
    client({ patienceMs: ms(patience) });
    return {};
  },
  acquire(command, signal) {
    const options = optionsOf(command, signal);
    const { resource, resources } = command;
    if (resources) return enter(command, (body) => client().usingAll(resources, options, body));
    return enter(command, (body) => client().using(resource, options, body));
  },
  async release({ lock }) {
    scopes.get(lock).leave();
    await scopes.get(lock).ended;
    return {};
  },
  raise({ lock, message }) {
    scopes.get(lock).fail(new BodyError(message));
    return scopes.get(lock).ended;
  },
  check({ lock }) {
    const { held } = locks.get(lock);
    const leftMs = leaseOf(locks.get(lock), scopes.get(lock).command);
    try {
      locks.get(lock).check();
    } catch (error) {
      error.held = held;
      throw error;
    }
    return { held, leftMs };
  },
  fence({ lock }) {
    const { fence, floor } = locks.get(lock);
    return { fence: String(fence), floor: String(floor ?? fence) };
  },
  repr({ lock }) {
    const shown = [client(), lock && locks.get(lock), lastError].filter((value) => value !== undefined);
    return {
      text: shown
        .map((value) => `${inspect(value, { depth: 9, showHidden: true })} ${JSON.stringify(value)}`)
        .join("\n"),
    };
  },
  cancel({ of }) {
    cancels.get(of)?.abort(new Cancelled("cancelled"));
    return {};
  },
  block({ ms }) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    return {};
  },
  advance({ s }) {
    advanced += s * 1000;
    return {};
  },
  async detach({ lock }) {
    return { ticket: await locks.get(lock).detach() };
  },
  async adopt(command) {
    const lock = await client().adopt(command.ticket, optionsOf(command));
    return enter(command, async (body) => {
      try {
        await body(lock);
      } finally {
        await lock.release();
      }
    });
  },
  async once({ name, ttl, atLeast, wait, ms: duration }) {
    const options = { ttlMs: ms(ttl), atLeastMs: ms(atLeast), waitMs: ms(wait), onEvent: onEvent("once") };
    const job = client().once(name, options, () => new Promise((resolve) => setTimeout(resolve, duration)));
    return { ran: (await job()) !== SKIPPED };
  },
  async elect({ lock, name, ttl, stubborn }, signal) {
    await client().elect(name, { ttlMs: ms(ttl), signal, onEvent: onEvent(lock) }, async (leader, lost) => {
      locks.set(lock, leader);
      write({ event: "leading", lock, term: String(leader.term) });
      await new Promise((resolve) => {
        scopes.set(lock, { leave: resolve });
        if (!stubborn) lost.addEventListener("abort", resolve);
      });
      write({ event: "stopped", lock, term: String(leader.term) });
    });
    return {};
  },
  resign({ lock }) {
    scopes.get(lock).leave();
    return {};
  },
  watch({ prefix }) {
    (async () => {
      for await (const { type, resource, fence } of client().watch({ prefix })) {
        write({ event: "watched", type, resource, ...(fence === undefined ? {} : { fence: String(fence) }) });
      }
    })().catch((error) => write({ event: "failed", reason: error.message }));
    return {};
  },
  async many({ prefix, count, ttl }) {
    // Some at a time, as a program would: each request has 3 s from when it was begun.
    for (let begun = 0; begun < count; begun += 50) {
      const some = Array.from({ length: Math.min(50, count - begun) }, (_, index) => prefix + (begun + index));
      many.push(...(await Promise.all(some.map((name) => client().acquire(name, { ttlMs: ms(ttl) })))));
    }
    return commands.many_held();
  },
  many_held() {
    return { held: many.filter(({ held }) => held).length };
  },
  async close() {
    await client().close();
    return {};
  },
  exit() {
    // The process ends when nothing is left to do.
    setImmediate(() => input.removeAllListeners("close").close());
    process.stdin.unref?.();
    return {};
  },
};

function describe(error) {
  const { message, requestId = null } = error;
  const as = (kind, facts = {}) => ({ kind, message, requestId, ...facts });
  if (error instanceof NotAcquiredError) {
    const holder = error.holder && { ...error.holder, fence: String(error.holder.fence) };
    return as("NotAcquired", { holder, position: error.position, waiting: error.waiting });
  }
  if (error instanceof LockLostError) return as("LockLost", { reason: error.reason, held: error.held });
  if (error instanceof UnknownError) return as("Unknown");
  if (error instanceof UnavailableError) return as("Unavailable");
  if (error instanceof RefusedError) return as("Refused", { code: error.code, field: error.field });
  if (error instanceof SupersededError) return as("Superseded");
  if (error instanceof BodyError) return as("BodyError", { lost: lossOf(error)?.reason ?? null });
  if (error instanceof Cancelled) return as("Cancelled");
  if (error instanceof Unsupported) return as("Unsupported");
  return as("Other", { stack: error.stack });
}

async function execute(command) {
  const controller = new AbortController();
  cancels.set(command.id, controller);
  try {
    const run = commands[command.do];
    if (!run || command.do in WITHOUT) throw new Unsupported(`there is no command ${command.do}`);
    write({ id: command.id, ok: await run(command, controller.signal) });
  } catch (error) {
    lastError = error;
    write({ id: command.id, error: describe(error) });
  } finally {
    cancels.delete(command.id);
  }
}

const AT_ONCE = new Set(["cancel", "check", "fence", "resign", "repr"]);

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const command = { ...JSON.parse(line) };
  if (["acquire", "adopt", "elect", "release", "raise", "check", "fence", "detach", "resign"].includes(command.do)) {
    command.lock ??= "a";
  }
  if (AT_ONCE.has(command.do) || !command.lock) return void execute(command);
  const before = queues.get(command.lock) ?? Promise.resolve();
  // A campaign goes on until it ends; other commands about its leader don't wait for that.
  const ended = before.then(() => execute(command));
  queues.set(command.lock, command.do === "elect" ? before : ended);
});
// Whatever is held then, the runner has gone.
input.on("close", () => process.exit(0));

await warm();
write({ agent: `gorilla-client for TypeScript, ${runtime()}`, version: "0.2.0", without: WITHOUT });

/**
 * A process of Node.js loads its HTTP parser with the first request, which takes as long as a tenth of the leases here
 * where many processes begin at once.
 */
async function warm() {
  const server = createServer((_, response) => response.end());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  await fetch(`http://127.0.0.1:${server.address().port}/`).then((response) => response.text());
  server.closeAllConnections();
  server.close();
}

function runtime() {
  if (globalThis.Deno) return `Deno ${globalThis.Deno.version.deno}`;
  if (globalThis.Bun) return `Bun ${globalThis.Bun.version}`;
  return `Node.js ${process.versions.node}`;
}
