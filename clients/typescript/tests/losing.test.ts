/** When a lock counts as lost: by the clock, at the call, and before anybody else can have it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lock, LockLostError, NotAcquiredError } from "gorilla-client";
import { systemClock, systemClockOf } from "../dist/clock.js";
import { aborted, client, events, eventually, Link, name } from "./support/server.js";

test("a lock that can't be renewed is lost before another client has it", async () => {
  await using link = await Link.open();
  const { gorilla, news } = client({ url: link.url });
  const { gorilla: other } = client();
  const resource = name();
  let lostAt = 0;
  let next: Promise<readonly [Lock, number]> | undefined;
  const work = gorilla.using(resource, { ttlMs: 3000 }, async (_lock, lost) => {
    next = other.acquire(resource, { waitMs: 30_000 }).then((lock) => [lock, performance.now()] as const);
    link.passes = false;
    await aborted(lost);
    lostAt = performance.now();
    // The release after the loss passes again.
    link.passes = true;
    link.cut();
  });
  await assert.rejects(work, (error) => error instanceof LockLostError && error.reason === "unconfirmed");
  assert.ok(next);
  const [lock, grantedAt] = await next;
  assert.ok(grantedAt >= lostAt);
  assert.ok(events(news).includes("trouble"));
  await lock.release();
});

test("a process that was blocked knows at its first call, without any timer", async () => {
  const { gorilla } = client();
  await using lock = await gorilla.acquire(name(), { ttlMs: 1000 });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
  assert.equal(lock.held, false);
  assert.throws(
    () => lock.check(),
    (error) => error instanceof LockLostError && error.reason === "unconfirmed",
  );
});

test("a machine that was suspended knows at the first call, and no renewal revives the lock", async () => {
  let suspendedMs = 0;
  const { gorilla, news } = client({ clock: { now: () => systemClock.now() + suspendedMs } });
  const resource = name();
  const work = gorilla.using(resource, async (lock) => {
    suspendedMs = 60_000;
    assert.equal(lock.held, false);
    assert.throws(() => lock.check(), LockLostError);
    suspendedMs = 0;
    assert.equal(lock.held, false, "a lock that was lost stays lost");
  });
  await assert.rejects(work, LockLostError);
  // What may still be there was released.
  assert.deepEqual(events(news), ["acquired", "lost", "released"]);
  assert.equal((await gorilla.state(resource)).held, false);
});

test("maxHoldMs bounds how long the lock is held", async () => {
  const { gorilla } = client();
  const resource = name();
  const work = gorilla.using(resource, { ttlMs: 3000, maxHoldMs: 2000 }, async (lock, lost) => {
    await aborted(lost);
    assert.equal(lock.held, false);
  });
  await assert.rejects(work, (error) => error instanceof LockLostError && error.reason === "max_hold");
  assert.equal((await gorilla.state(resource)).held, false);
});

test("an outage shorter than the lease is no loss", async () => {
  await using link = await Link.open();
  const { gorilla, news } = client({ url: link.url });
  await gorilla.using(name(), { ttlMs: 6000 }, async (lock) => {
    link.passes = false;
    await eventually("a renewal is in trouble", () => events(news).includes("trouble"));
    link.passes = true;
    link.cut();
    await eventually("it is renewed again", () => events(news).includes("renewed"));
    lock.check();
  });
  assert.equal(events(news).at(-1), "released");
});

test("a wait goes on through an outage, and its wait never bounds the hold", async () => {
  await using link = await Link.open();
  const { gorilla } = client({ url: link.url });
  const { gorilla: other } = client();
  const resource = name();
  const held = await other.acquire(resource);
  const waiting = gorilla.acquire(resource, { waitMs: 20_000, ttlMs: 3000 });
  await eventually("it waits", async () => (await other.state(resource)).waiting === 1);
  link.cut();
  await eventually("it waits again", async () => (await other.state(resource)).waiting === 1);
  await held.release();
  const lock = await waiting;
  await assert.rejects(other.acquire(resource), NotAcquiredError);
  lock.check();
  await lock.release();
});

test("the clock counts suspensions, and does not follow the grain of the uptime", () => {
  let [monotonic, uptime] = [5, 1000];
  const fine = systemClockOf(
    () => monotonic,
    () => uptime,
  );
  const begun = fine.now();
  [monotonic, uptime] = [1005, 2009.5];
  assert.equal(fine.now() - begun, 1000, "the uptime is coarse");
  [monotonic, uptime] = [1010, 62_015];
  assert.equal(fine.now() - begun, 61_015, "the machine was suspended for a minute");
  [monotonic, uptime] = [2010, 63_015];
  assert.equal(fine.now() - begun, 62_015);

  [monotonic, uptime] = [0, 3000];
  const coarse = systemClockOf(
    () => monotonic,
    () => Math.floor(uptime / 1000) * 1000,
  );
  for (; monotonic < 5000; monotonic += 7, uptime += 7) assert.equal(coarse.now(), monotonic);
  uptime += 30_000;
  assert.ok(Math.abs(coarse.now() - monotonic - 30_000) <= 1000);
});

test("a pause between two readings of the clock is no suspension", () => {
  let [now, pause] = [5, 0];
  const reading = () => {
    const read = now;
    now += pause;
    return read;
  };
  const clock = systemClockOf(reading, reading);
  pause = 100;
  const begun = clock.now();
  for (let count = 0; count < 10; count++) clock.now();
  // Two readings for each time.
  assert.equal(clock.now() - begun, 11 * 200);
});

test("the clock of this machine runs as the monotonic one does", () => {
  // The machine may do something else between two looks.
  const look = () => [performance.now(), systemClock.now(), performance.now()] as const;
  const [earliest, begun, latest] = look();
  let last = begun;
  for (let count = 0; count < 2000; count++) {
    const [before, now, after] = look();
    assert.ok(now >= last);
    assert.ok(now - begun >= before - latest - 1 && now - begun <= after - earliest + 25, `${now - begun} ms`);
    last = now;
  }
});
