/** Each operation as a request. */

import { RefusedError } from "./errors.js";
import type { Code } from "./generated/codes.js";
import type { Batch, Batched, Extend, Lock, LockSet } from "./generated/wire.js";
import type { Request } from "./http.js";
import { ANSWER_MS, Trouble } from "./http.js";

const LOCKS = "/api/v1/locks";
export const EVENTS = "/api/v1/events";
const BATCH = "/api/v1/batch";
/** The most items that a batch may have. */
export const MOST_ITEMS = 1000;

const INVALID: Code = "invalid_request";

/** An option that breaks its rule, found before anything is sent. */
export function invalid(field: string, message: string): RefusedError {
  return new RefusedError(INVALID, message, field);
}

/** An Idempotency-Key: the same for all attempts of one request. */
export function newKey(): string {
  return crypto.randomUUID();
}

/** The path of a lock. Refuses names that would be another path. */
export function pathOf(resource: string): string {
  if (typeof resource !== "string" || resource === "" || resource === "." || resource === "..") {
    throw invalid("resource", `${JSON.stringify(resource)} is not a name that a lock can have`);
  }
  try {
    return `${LOCKS}/${encodeURIComponent(resource)}`;
  } catch {
    throw invalid("resource", "the name of the lock has half of a surrogate pair");
  }
}

export function acquire(resource: string, body: unknown, key: string, timeoutMs: number): Request {
  return { method: "POST", path: pathOf(resource), key, body, timeoutMs };
}

export function acquireSet(body: unknown, key: string, timeoutMs: number): Request {
  return { method: "POST", path: LOCKS, key, body, timeoutMs };
}

export function extend(
  resource: string,
  token: string,
  body: Extend,
  key: string,
  timeoutMs: number = ANSWER_MS,
): Request {
  return { method: "PUT", path: pathOf(resource), token, key, body, timeoutMs };
}

/** Releases a lock, or lets it end after so many milliseconds. */
export function release(resource: string, token: string, key: string, afterMs = 0): Request {
  const after = afterMs > 0 ? `?after=${Math.ceil(afterMs) / 1000}` : "";
  return { method: "DELETE", path: pathOf(resource) + after, token, key, timeoutMs: ANSWER_MS };
}

export function batch(body: Batch, timeoutMs: number, key?: string): Request {
  return { method: "POST", path: BATCH, body, timeoutMs, ...(key === undefined ? {} : { key }) };
}

export function state(resource: string): Request {
  return { method: "GET", path: pathOf(resource), timeoutMs: ANSWER_MS };
}

/** Reads a lock. What is not a lock does not come from Gorilla, so nobody knows what became of the request. */
export function readLock(body: unknown): Lock {
  const lock = body as Partial<Lock> | undefined;
  if (typeof lock?.token !== "string" || typeof lock.ttlMs !== "number" || typeof lock.fence !== "number")
    throw nonsense();
  return lock as Lock;
}

export function readSet(body: unknown): LockSet {
  const set = body as Partial<LockSet> | undefined;
  if (!Array.isArray(set?.locks) || typeof set.waitedMs !== "number") throw nonsense();
  for (const lock of set.locks) readLock(lock);
  return set as LockSet;
}

export function readBatched(body: unknown): Batched {
  const batched = body as Partial<Batched> | undefined;
  if (!Array.isArray(batched?.results)) throw nonsense();
  return batched as Batched;
}

function nonsense(): Trouble {
  return new Trouble("the answer is not one of Gorilla", true);
}
