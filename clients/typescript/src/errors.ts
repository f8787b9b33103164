/** The ways in which a call can fail. None of these errors has the token of a lock. */

import type { Code } from "./generated/codes.js";

/** The holder of a lock, as the server tells everybody. */
export interface HolderInfo {
  /** The label that the holder gave itself. */
  readonly owner: string;
  /** The fencing token of its grant. */
  readonly fence: number;
  /** How long the lease lasts unless the holder renews it. */
  readonly ttlMs: number;
}

/** What the holders of a shared lock have together. */
export interface Sharing {
  /** How many permits they have. */
  readonly used: number;
  /** How many permits they may have; null if there is no limit. */
  readonly limit: number | null;
  /** How many clients hold the lock. */
  readonly holderCount: number;
}

/** Who or what is in the way of a lock. */
export interface Busy {
  /** The lock that could not be acquired: one of several, if the request was for several. */
  readonly resource: string;
  /** The holder, of a shared lock the one that ends last. Null while the next in the queue is about to take it. */
  readonly holder: HolderInfo | null;
  /** What the holders have together, if they share the lock; else null. */
  readonly sharing: Sharing | null;
  /** The place of this request in the queue, from 1; null if it has not waited. */
  readonly position: number | null;
  /** How many requests wait for the lock. */
  readonly waiting: number;
}

/**
 * Why a lock counts as lost.
 *
 * - `ended`: the server says that the grant has ended, or that somebody breaks the lock and the grace is over.
 * - `unconfirmed`: the lease may run out before the server has confirmed a renewal.
 * - `max_hold`: the lock was held for as long as its holder allowed.
 */
export type LossReason = "ended" | "unconfirmed" | "max_hold";

/** What all errors of this library have in common. */
export abstract class GorillaError extends Error {
  /** The `X-Request-Id` of the last answer, by which operators find the request; null where nothing was answered. */
  readonly requestId: string | null;

  constructor(message: string, requestId: string | null) {
    super(message);
    this.requestId = requestId;
  }
}

/** Another client has the lock, also at the end of the wait. Nothing was done. */
export class NotAcquiredError extends GorillaError implements Busy {
  override readonly name = "NotAcquiredError";
  readonly resource: string;
  readonly holder: HolderInfo | null;
  readonly sharing: Sharing | null;
  readonly position: number | null;
  readonly waiting: number;

  constructor(busy: Busy, requestId: string | null) {
    super(`${JSON.stringify(busy.resource)} was not acquired: ${describe(busy)}`, requestId);
    this.resource = busy.resource;
    this.holder = busy.holder;
    this.sharing = busy.sharing;
    this.position = busy.position;
    this.waiting = busy.waiting;
  }
}

/** This client held the lock, and does not any more, or not for sure. Stop what only the holder may do. */
export class LockLostError extends GorillaError {
  override readonly name = "LockLostError";
  readonly resource: string;
  readonly reason: LossReason;

  constructor(resource: string, reason: LossReason, detail: string, requestId: string | null) {
    super(`the lock ${JSON.stringify(resource)} is lost: ${detail}`, requestId);
    this.resource = resource;
    this.reason = reason;
  }
}

/**
 * A request was sent, and in spite of all retries no answer tells what became of it. If the server granted a lock, the
 * lock ends with its lease at the latest.
 */
export class UnknownError extends GorillaError {
  override readonly name = "UnknownError";
}

/** The server can't be reached, or can't serve now. Nothing was done. */
export class UnavailableError extends GorillaError {
  override readonly name = "UnavailableError";
}

/** The request is wrong or not allowed, and would be refused again. Nothing was done. */
export class RefusedError extends GorillaError {
  override readonly name = "RefusedError";
  /** The stable code, from docs/reference/errors.md, or one of this library: `invalid_url`, `invalid_api_key`, `redirect`, `closed`. */
  readonly code: Code | (string & {});
  /** The field, parameter, header or option that breaks its rule; null if it is not one of these. */
  readonly field: string | null;

  constructor(
    code: Code | (string & {}),
    message: string,
    field: string | null = null,
    requestId: string | null = null,
  ) {
    super(message, requestId);
    this.code = code;
    this.field = field;
  }
}

/** The storage has seen the fence of a later holder: the write of this holder is too late, and was not done. */
export class SupersededError extends GorillaError {
  override readonly name = "SupersededError";
  readonly resource: string;
  readonly fence: number;

  constructor(resource: string, fence: number) {
    super(`a later holder of ${JSON.stringify(resource)} has written; the fence ${fence} is too old`, null);
    this.resource = resource;
    this.fence = fence;
  }
}

const losses = new WeakMap<object, LockLostError>();

/** Notes that the lock was lost while the work failed with an error of its own, which is what surfaces. */
export function attachLoss(error: unknown, loss: LockLostError): void {
  if (typeof error !== "object" || error === null || error === loss) return;
  losses.set(error, loss);
  if (error instanceof Error && error.cause === undefined && Object.isExtensible(error)) {
    Object.defineProperty(error, "cause", { value: loss, configurable: true, writable: true });
  }
}

/** The loss of the lock that an error of the work in `using` or `elect` came with, if the lock was lost too. */
export function lossOf(error: unknown): LockLostError | undefined {
  if (error instanceof LockLostError) return error;
  return typeof error === "object" && error !== null ? losses.get(error) : undefined;
}

/** Who or what is in the way, as the end of a sentence. */
export function describe({ holder, sharing, position, waiting }: Busy): string {
  const queue =
    position === null
      ? waiting > 0
        ? `, ${waiting} waiting`
        : ""
      : `, position ${position} of ${Math.max(waiting, position)} in the queue`;
  return `${describeHolders(holder, sharing)}${queue}`;
}

function describeHolders(holder: HolderInfo | null, sharing: Sharing | null): string {
  if (sharing) {
    const clients = `${sharing.holderCount} ${sharing.holderCount === 1 ? "client" : "clients"}`;
    if (sharing.limit === null) return `shared by ${clients}`;
    return `${sharing.used} of ${sharing.limit} permits taken by ${clients}`;
  }
  if (!holder) return "others are in front";
  return `held by ${JSON.stringify(holder.owner)} for another ${(holder.ttlMs / 1000).toFixed(1)} s`;
}
