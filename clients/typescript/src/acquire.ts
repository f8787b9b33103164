/** From a request for locks to locks that are held. */

import type { Asking } from "./asking.js";
import { ask, failure } from "./asking.js";
import { GorillaError, LockLostError } from "./errors.js";
import type { Listener } from "./events.js";
import type { Lock, LockSet } from "./generated/wire.js";
import { endOf, Hold } from "./hold.js";
import type { Way } from "./http.js";
import { ANSWER_MS, Refusal } from "./http.js";
import type { AcquireOptions, AdoptOptions, AskOptions, Kind, Terms } from "./options.js";
import { kindOf, termsOf, time } from "./options.js";
import * as requests from "./requests.js";
import { invalid, newKey, readLock, readSet } from "./requests.js";
import type { Sending } from "./retry.js";
import { send } from "./retry.js";

/** How long one request waits at most. The server keeps the place from one request to the next. */
const PIECE_MS = 10_000;
/** The same for several locks: longer, because a set begins anew with each request, and gives back what it has. */
const PIECE_OF_SET_MS = 50_000;
/** A lock is handed out with at least this part of its lease. */
const FRESH = 0.9;

/** One of several locks: a name, or a name and how to hold the lock. */
export type Part = string | ({ readonly resource: string } & Kind);

/** What an acquire needs of its client. */
export interface Client {
  readonly way: Way;
  readonly owner: string;
  /** Goes on behind a call that was cancelled. Never rejects. */
  background(task: Promise<unknown>): void;
}

/** Acquires one lock. */
export async function acquireOne(
  client: Client,
  resource: string,
  options: AcquireOptions,
  tell: Listener,
): Promise<Hold> {
  const terms = termsOf(options);
  const kind = kindOf(options);
  if (terms.atLeastMs > 0 && kind.mode) throw invalid("atLeastMs", "atLeastMs is for exclusive locks");
  const { headstartMs, replaces } = options;
  const fields = {
    ...fieldsOf(client, options, terms),
    ...kind,
    ...(headstartMs === undefined ? {} : { headstart: headstartMs / 1000 }),
    ...(replaces === undefined ? {} : { replaces }),
  };
  const asking = askingOf<Lock>(client, resource, options, tell, {
    longestPieceMs: PIECE_MS,
    request: (key, wait, timeoutMs) =>
      requests.acquire(resource, { ...fields, ...(wait > 0 ? { wait } : {}) }, key, timeoutMs),
    read: readLock,
    locks: (lock) => [lock],
  });
  const [hold] = await until(resource, tell, async () => {
    const { sent, granted } = await ask(asking);
    return handOut(client, [granted], sent + (granted.waitedMs ?? 0), terms, tell, options.signal);
  });
  return hold as Hold;
}

/** Acquires several locks, all or none. */
export async function acquireSet(
  client: Client,
  parts: readonly Part[],
  options: AskOptions,
  tell: Listener,
): Promise<Hold[]> {
  const terms = termsOf(options);
  if (terms.atLeastMs > 0) throw invalid("atLeastMs", "atLeastMs is for one lock");
  const resources = parts.map((part) => {
    return typeof part === "string" ? { resource: part } : { resource: part.resource, ...kindOf(part) };
  });
  const resource = resources[0]?.resource;
  if (resource === undefined) throw invalid("resources", "there is no lock to acquire");
  const fields = { ...fieldsOf(client, options, terms), resources };
  const asking = askingOf<LockSet>(client, resource, options, tell, {
    longestPieceMs: PIECE_OF_SET_MS,
    request: (key, wait, timeoutMs) =>
      requests.acquireSet({ ...fields, ...(wait > 0 ? { wait } : {}) }, key, timeoutMs),
    read: readSet,
    locks: ({ locks }) => locks,
  });
  return until(resource, tell, async () => {
    const { sent, granted } = await ask(asking);
    return handOut(client, granted.locks, sent + granted.waitedMs, terms, tell, options.signal);
  });
}

/** Goes on holding a lock that another process has acquired. Renews it first. */
export async function adoptOne(
  client: Client,
  resource: string,
  token: string,
  options: AdoptOptions,
  tell: Listener,
): Promise<Hold> {
  const { way } = client;
  const terms = termsOf(options);
  const onTrouble = troubleOf(resource, tell);
  const [lock, ends] = await renew(way, resource, token, terms.ttlMs, way.clock.now() + way.patienceMs, { onTrouble });
  const hold = new Hold(way, terms, tell, lock, ends);
  tell({ event: "acquired", resource, fence: hold.fence });
  return hold;
}

function fieldsOf(client: Client, options: AskOptions, { ttlMs }: Terms): object {
  const { owner = client.owner, metadata } = options;
  return { owner, timeout: ttlMs / 1000, ...(metadata === undefined ? {} : { metadata }) };
}

interface Form<Granted> extends Pick<Asking<Granted>, "longestPieceMs" | "request" | "read"> {
  locks(granted: Granted): readonly Lock[];
}

function askingOf<Granted>(
  client: Client,
  resource: string,
  options: AskOptions,
  tell: Listener,
  form: Form<Granted>,
): Asking<Granted> {
  const { way } = client;
  const abandon = async (key: string) => {
    // The server undoes an acquire whose client has hung up. A load balancer in between may not tell the server.
    const done = await send(way, form.request(key, 0, ANSWER_MS), way.clock.now() + way.patienceMs);
    await giveBack(way, form.locks(form.read(done.body)));
  };
  return {
    way,
    resource,
    deadline: way.clock.now() + time("waitMs", options.waitMs, 0),
    signal: options.signal,
    tell,
    longestPieceMs: form.longestPieceMs,
    request: form.request,
    read: form.read,
    abandon: (key) => client.background(abandon(key)),
  };
}

/** Tries again if what was granted has ended before it could be handed out. Tells of failures. */
async function until(resource: string, tell: Listener, attempt: () => Promise<Hold[] | null>): Promise<Hold[]> {
  try {
    for (;;) {
      const holds = await attempt();
      if (!holds) continue;
      for (const hold of holds) tell({ event: "acquired", resource: hold.resource, fence: hold.fence });
      return holds;
    }
  } catch (error) {
    if (error instanceof GorillaError) tell(failure(error, resource));
    throw error;
  }
}

/**
 * Hands out locks with most of their lease. A grant may be younger than its request, which waited at a server that does
 * not tell how long, or older, if an answer was lost. Answers null if one of them has ended.
 */
async function handOut(
  client: Client,
  locks: readonly Lock[],
  from: number,
  terms: Terms,
  tell: Listener,
  signal: AbortSignal | undefined,
): Promise<Hold[] | null> {
  const { way } = client;
  try {
    const fresh = await Promise.all(
      locks.map(async (lock): Promise<[Lock, number]> => {
        const ends = endOf(from, lock.ttlMs);
        const now = way.clock.now();
        if (ends - now >= FRESH * terms.ttlMs) return [lock, ends];
        return renew(way, lock.resource, lock.token, terms.ttlMs, Math.max(ends, now + way.patienceMs), {
          signal,
          onTrouble: troubleOf(lock.resource, tell),
        });
      }),
    );
    signal?.throwIfAborted();
    return fresh.map(([lock, ends]) => new Hold(way, terms, tell, lock, ends));
  } catch (error) {
    const ended = error instanceof LockLostError ? error.resource : undefined;
    client.background(
      giveBack(
        way,
        locks.filter(({ resource }) => resource !== ended),
      ),
    );
    // The lock was of no use yet.
    if (ended !== undefined) return null;
    throw error;
  }
}

function troubleOf(resource: string, tell: Listener): (reason: string) => void {
  return (reason) => tell({ event: "trouble", resource, reason });
}

async function renew(
  way: Way,
  resource: string,
  token: string,
  ttlMs: number,
  giveUp: number,
  sending: Sending,
  askedMs: number = ttlMs,
): Promise<[Lock, number]> {
  const body = { timeout: askedMs / 1000, ...(way.rotates ? {} : { rotate: false }) };
  try {
    const { sent, body: said } = await send(way, requests.extend(resource, token, body, newKey()), giveUp, sending);
    const lock = readLock(said);
    return [lock, endOf(sent, Math.min(lock.ttlMs, ttlMs))];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.body.field === "rotate" && !way.rotates) {
      way.rotates = true;
      return renew(way, resource, token, ttlMs, giveUp, sending, askedMs);
    }
    // The lease lasts for longer than the one that is wanted. It stays as it is, and counts as the one that is wanted.
    const left = error.code === "timeout_shorter" && error.body.ttlMs;
    if (left) return renew(way, resource, token, ttlMs, giveUp, sending, left);
    // A lock that somebody breaks ends soon.
    if (error.code === "lock_breaking") throw new LockLostError(resource, "ended", error.message, error.requestId);
    throw error.lost(resource);
  }
}

/** Gives back what was granted to a caller that has gone. What fails ends with its lease. */
async function giveBack(way: Way, locks: readonly Lock[]): Promise<void> {
  const giveUp = way.clock.now() + way.patienceMs;
  await Promise.allSettled(
    locks.map(({ resource, token }) => send(way, requests.release(resource, token, newKey()), giveUp)),
  );
}
