/** Locks of a real server, as users take them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type Lock, LockLostError, lossOf, NotAcquiredError, RefusedError } from "gorilla-client";
import { aborted, client, events, eventually, name, SERVER, sleep } from "./support/server.js";

test("using holds the lock while the body runs, renews it and releases it", async () => {
  const { gorilla, news } = client();
  const resource = name();
  const answer = await gorilla.using(resource, { ttlMs: 1500 }, async (lock, lost) => {
    assert.ok(lock.held);
    assert.ok(lock.leftMs > 0 && lock.leftMs <= 1500);
    const state = await gorilla.state(resource);
    assert.ok(state.held && state.fence === lock.fence && lock.floor === lock.fence);
    await eventually("two renewals", () => events(news).filter((event) => event === "renewed").length >= 2);
    lock.check();
    assert.equal(lost.aborted, false);
    return "done";
  });
  assert.equal(answer, "done");
  assert.equal((await gorilla.state(resource)).held, false);
  assert.equal(events(news)[0], "acquired");
  assert.equal(events(news).at(-1), "released");
});

test("a lock that another client has is not acquired, and the error says who has it", async () => {
  const { gorilla, news } = client({ owner: "first" });
  const resource = name();
  await using lock = await gorilla.acquire(resource);
  await assert.rejects(gorilla.acquire(resource), (error) => {
    assert.ok(error instanceof NotAcquiredError);
    assert.equal(error.resource, resource);
    assert.equal(error.holder?.owner, "first");
    assert.equal(error.holder.fence, lock.fence);
    assert.equal(error.position, null);
    assert.equal(typeof error.requestId, "string");
    return true;
  });
  await assert.rejects(gorilla.acquire(resource, { waitMs: 300 }), (error) => {
    assert.ok(error instanceof NotAcquiredError);
    assert.equal(error.position, 1);
    return true;
  });
  assert.deepEqual(events(news), ["acquired", "not_acquired", "not_acquired"]);
});

test("those that wait are served in their order, with most of the lease", async () => {
  const { gorilla, news } = client();
  const resource = name();
  const first = await gorilla.acquire(resource, { ttlMs: 2000 });
  const order: number[] = [];
  const waiting = [1, 2].map(async (number) => {
    await eventually("its turn to queue", async () => (await gorilla.state(resource)).waiting === number - 1);
    await gorilla.using(resource, { waitMs: 60_000, ttlMs: 2000 }, (lock) => {
      order.push(number);
      assert.ok(lock.leftMs > 0.9 * 2000 - 2000 / 6 - 100, `${lock.leftMs} ms are left`);
    });
  });
  // Longer than the first piece of the wait.
  await eventually("waiting was told", () => events(news).includes("waiting"));
  await first.release();
  await Promise.all(waiting);
  assert.deepEqual(order, [1, 2]);
});

test("the error of the body comes out, and the lock is released", async () => {
  const { gorilla } = client();
  const resource = name();
  const failure = new Error("the work failed");
  await assert.rejects(
    gorilla.using(resource, () => {
      throw failure;
    }),
    (error) => error === failure,
  );
  assert.equal(lossOf(failure), undefined);
  assert.equal((await gorilla.state(resource)).held, false);
});

test("a broken lock is lost with the next renewal, and the lock of the next holder stands", async () => {
  const { gorilla, news } = client();
  const resource = name();
  let next: { fence: number } | undefined;
  const failure = new Error("the work failed too");
  const lost = gorilla.using(resource, { ttlMs: 3000 }, async (lock, signal) => {
    await breakLock(resource, lock.fence);
    next = await gorilla.acquire(resource);
    await aborted(signal);
    assert.ok(signal.reason instanceof LockLostError);
    assert.equal(lock.held, false);
    assert.throws(() => lock.check(), LockLostError);
    throw failure;
  });
  await assert.rejects(lost, (error) => error === failure);
  assert.equal(lossOf(failure)?.reason, "ended");
  assert.ok(failure.cause instanceof LockLostError);
  const state = await gorilla.state(resource);
  assert.ok(state.held && state.fence === next?.fence);
  assert.equal(events(news).filter((event) => event === "lost").length, 1);
});

test("a body that returns although the lock was lost is answered with the loss", async () => {
  const { gorilla } = client();
  const resource = name();
  const lost = gorilla.using(resource, { ttlMs: 60_000 }, (lock) => breakLock(resource, lock.fence));
  // Nobody has noticed before the release.
  await assert.rejects(lost, (error) => error instanceof LockLostError && error.reason === "ended");
});

test("somebody who breaks the lock with a grace is told to the holder, who can release it", async () => {
  const { gorilla, news } = client();
  const resource = name();
  await gorilla.using(resource, { ttlMs: 3000 }, async (lock) => {
    await breakLock(resource, lock.fence, 2);
    await eventually("breaking is told", () => events(news).includes("breaking"));
    lock.check();
  });
  assert.deepEqual(events(news).slice(-2), ["breaking", "released"]);
});

test("await using releases, and tells a loss only to a block that has not looked", async () => {
  const { gorilla } = client();
  const resource = name();
  {
    await using lock = await gorilla.acquire(resource);
    assert.ok(lock.held);
  }
  assert.equal((await gorilla.state(resource)).held, false);

  const looks = async (look: boolean) => {
    await using lock = await gorilla.acquire(resource);
    if (look) lock.check();
    await breakLock(resource, lock.fence);
  };
  await looks(true);
  await assert.rejects(looks(false), LockLostError);
});

test("release answers the same each time", async () => {
  const { gorilla, news } = client();
  const lock = await gorilla.acquire(name());
  assert.deepEqual(await Promise.all([lock.release(), lock.release()]), [true, true]);
  assert.equal(await lock.release(), true);
  assert.equal(lock.held, false);
  assert.equal(lock.leftMs, 0);
  assert.throws(() => lock.check(), LockLostError);
  assert.deepEqual(events(news), ["acquired", "released"]);
});

test("readers share a lock, and each has the floor of the group", async () => {
  const { gorilla } = client();
  const resource = name();
  await using one = await gorilla.acquire(resource, { mode: "shared" });
  await using two = await gorilla.acquire(resource, { mode: "shared" });
  assert.equal(one.mode, "shared");
  assert.ok(two.fence > one.fence);
  assert.equal(two.floor, one.fence);
  await assert.rejects(gorilla.acquire(resource), (error) => {
    return (
      error instanceof NotAcquiredError && error.sharing?.holderCount === 2 && /shared by 2 clients/.test(error.message)
    );
  });
});

test("a semaphore has as many permits as its limit", async () => {
  const { gorilla } = client();
  const resource = name();
  await using two = await gorilla.acquire(resource, { limit: 3, permits: 2 });
  await using one = await gorilla.acquire(resource, { limit: 3 });
  assert.deepEqual([two.permits, one.permits], [2, 1]);
  await assert.rejects(gorilla.acquire(resource, { limit: 3 }), (error) => {
    return error instanceof NotAcquiredError && /3 of 3 permits taken by 2 clients/.test(error.message);
  });
  await assert.rejects(gorilla.acquire(resource, { limit: 4 }), (error) => {
    return error instanceof RefusedError && error.code === "limit_mismatch";
  });
});

test("several locks are held all or none, and released together", async () => {
  const { gorilla, news } = client();
  const [a, b, c] = [name("a"), name("b"), name("c")];
  await gorilla.usingAll([b, { resource: a, mode: "shared" }], { ttlMs: 3000 }, async (set, lost) => {
    assert.deepEqual(
      set.locks.map(({ resource }) => resource),
      [b, a],
    );
    assert.equal(set.get(a)?.mode, "shared");
    set.check();
    await assert.rejects(
      gorilla.acquireAll([c, b]),
      (error) => error instanceof NotAcquiredError && error.resource === b,
    );
    assert.equal((await gorilla.state(c)).held, false);
    await eventually("both are renewed", () => events(news).filter((event) => event === "renewed").length >= 2);
    assert.ok(set.held && !lost.aborted);
  });
  for (const resource of [a, b]) assert.equal((await gorilla.state(resource)).held, false);
});

test("a set is lost with the first of its locks, and the others are released", async () => {
  const { gorilla } = client();
  const [a, b] = [name("a"), name("b")];
  const work = gorilla.usingAll([a, b], { ttlMs: 3000 }, async (set, lost) => {
    await breakLock(a, set.get(a)?.fence ?? 0);
    await aborted(lost);
    assert.ok(!set.held && set.get(b)?.held);
  });
  await assert.rejects(work, (error) => error instanceof LockLostError && error.resource === a);
  assert.equal((await gorilla.state(b)).held, false);
});

test("a lock can be handed over to another client", async () => {
  const { gorilla } = client();
  const { gorilla: other } = client();
  const resource = name();
  const lock = await gorilla.acquire(resource);
  const ticket = await lock.detach();
  assert.equal(lock.held, false);
  assert.equal(await lock.release(), true);
  const adopted = await other.adopt(ticket, { ttlMs: 5000 });
  assert.equal(adopted.fence, lock.fence);
  assert.ok(adopted.held);
  await adopted.release();
  await assert.rejects(other.adopt(ticket), (error) => error instanceof LockLostError && error.reason === "ended");
});

test("at least: nobody has the lock before, however soon it is released", async () => {
  const { gorilla } = client();
  const resource = name();
  const begun = performance.now();
  // Longer than the lease, which is extended first.
  await gorilla.using(resource, { ttlMs: 500, atLeastMs: 1500 }, () => {});
  assert.ok(performance.now() - begun < 1400, "the release doesn't wait");
  await using next = await gorilla.acquire(resource, { waitMs: 30_000 });
  assert.ok(next.held);
  assert.ok(performance.now() - begun >= 1400, `${performance.now() - begun} ms`);
});

test("any name that a lock can have is that lock, and others are refused", async () => {
  const { gorilla } = client();
  for (const resource of ["a b", "%2F", "日本", "?wait=1#x", "é".repeat(128), "'!*()"].map((text) => `${text}`)) {
    await using lock = await gorilla.acquire(resource, { waitMs: 30_000 });
    assert.equal(lock.resource, resource);
  }
  for (const resource of ["", ".", "..", "\ud800", "a/b", "x".repeat(257)]) {
    await assert.rejects(gorilla.acquire(resource), (error) => {
      return error instanceof RefusedError && error.code === "invalid_request" && error.field === "resource";
    });
  }
});

test("options that make no sense are refused", async () => {
  const { gorilla } = client();
  const refused = (field: string) => (error: unknown) => error instanceof RefusedError && error.field === field;
  await assert.rejects(gorilla.acquire(name(), { ttlMs: 1000, graceMs: 600 }), refused("graceMs"));
  await assert.rejects(gorilla.acquire(name(), { ttlMs: Number.NaN }), refused("ttlMs"));
  await assert.rejects(gorilla.acquire(name(), { ttlMs: 0 }), refused("ttlMs"));
  await assert.rejects(gorilla.acquire(name(), { waitMs: -1 }), refused("waitMs"));
  await assert.rejects(gorilla.acquire(name(), { mode: "exclusive", limit: 3 }), refused("limit"));
  await assert.rejects(gorilla.acquire(name(), { mode: "shared", atLeastMs: 5 }), refused("atLeastMs"));
  await assert.rejects(gorilla.acquireAll([]), refused("resources"));
  for (const url of ["here", "ftp://host", "http://host/?a=1", "http://me:secret@host"]) {
    assert.throws(
      () => client({ url }),
      (error) => {
        return error instanceof RefusedError && error.code === "invalid_url" && !error.message.includes("secret");
      },
    );
  }
  assert.throws(
    () => client({ apiKey: "a\nb" }),
    (error) => error instanceof RefusedError && error.code === "invalid_api_key",
  );
});

test("close releases all locks and ends what waits", async () => {
  const { gorilla } = client();
  const { gorilla: other } = client();
  const [a, b] = [name(), name()];
  const held = await gorilla.acquire(a);
  await gorilla.acquire(b);
  await using _busy = await other.acquire(name());
  const waiting = gorilla.acquire(_busy.resource, { waitMs: Number.POSITIVE_INFINITY });
  const told = assert.rejects(waiting, (error) => error instanceof RefusedError && error.code === "closed");
  await gorilla.close();
  await told;
  assert.equal(held.held, false);
  for (const resource of [a, b]) assert.equal((await other.state(resource)).held, false);
  await assert.rejects(gorilla.acquire(a), (error) => error instanceof RefusedError && error.code === "closed");
});

test("the signal ends the waiting, and the place in the queue is given up", async () => {
  const { gorilla } = client();
  const resource = name();
  const lock = await gorilla.acquire(resource);
  const controller = new AbortController();
  const waiting = gorilla.acquire(resource, { waitMs: 60_000, signal: controller.signal });
  await eventually("it waits", async () => (await gorilla.state(resource)).waiting === 1);
  const reason = new Error("not needed any more");
  controller.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await lock.release();
  await using next = await gorilla.acquire(resource, { waitMs: 10_000 });
  assert.ok(next.held);
});

test("the signal aborts the body of using, and the lock is released", async () => {
  const { gorilla } = client();
  const resource = name();
  const controller = new AbortController();
  const work = gorilla.using(resource, { signal: controller.signal }, async (_lock, lost) => {
    controller.abort(new Error("stop"));
    await sleep(1);
    lost.throwIfAborted();
  });
  await assert.rejects(work, /stop/);
  assert.equal((await gorilla.state(resource)).held, false);
});

test("many locks of one client are renewed by few requests", async () => {
  let requests = 0;
  let batches = 0;
  const { gorilla } = client({
    patienceMs: 30_000,
    fetch: (url, init) => {
      if (String(url).endsWith("/batch")) batches++;
      else if (init?.method === "PUT") requests++;
      return fetch(url, init);
    },
  });
  const locks: Lock[] = [];
  while (locks.length < 60) {
    const some = Array.from({ length: 10 }, () => gorilla.acquire(name(), { ttlMs: 15_000 }));
    locks.push(...(await Promise.all(some)));
  }
  // A lock whose grant was slow to come was renewed at once, by itself.
  [requests, batches] = [0, 0];
  await sleep(12_000);
  assert.ok(locks.every((lock) => lock.held));
  assert.ok(batches >= 2 && batches + requests < 30, `${batches} batches and ${requests} single renewals`);
  await gorilla.close();
});

test("nothing shows the token or the API key", async () => {
  const tokens: string[] = [];
  const { gorilla, news } = client({
    apiKey: "key-that-nobody-may-see",
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      tokens.push(
        ...((await response.clone().text()).match(/"token":"[^"]+"/g) ?? []).map((text) => text.slice(9, -1)),
      );
      return response;
    },
  });
  const lock = await gorilla.acquire(name());
  const set = await gorilla.acquireAll([name(), name()]);
  const busy: unknown = await gorilla.acquire(lock.resource).catch((error) => error);
  const shown = [gorilla, lock, set, busy, news].map((value) => {
    return `${inspect(value, { showHidden: true, depth: 20 })} ${JSON.stringify(value)} ${String(value)}`;
  });
  await gorilla.close();
  assert.equal(tokens.length, 3);
  for (const secret of [...tokens, "key-that-nobody-may-see"]) assert.ok(!shown.join().includes(secret));
});

/** Breaks a lock as an operator does. */
async function breakLock(resource: string, fence: number, grace = 0): Promise<void> {
  const response = await fetch(`${SERVER}/api/v1/locks/${encodeURIComponent(resource)}/break`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ fence, reason: "a test", grace }),
  });
  assert.equal(response.status, 200);
}
