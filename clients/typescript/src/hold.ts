/** What a client knows of a lock that it holds. Whether it holds the lock is decided by the clock, at each call. */

import type { LossReason } from "./errors.js";
import { LockLostError } from "./errors.js";
import type { Listener } from "./events.js";
import type { Lock } from "./generated/wire.js";
import type { Way } from "./http.js";
import type { Terms } from "./options.js";
import type { Renewal } from "./renewal.js";

/** The part of the lease that counts: the clocks of the client and of the server may run at different rates. */
const SURE = 0.99;
/** The part of the lease that is left when a renewal is due. */
const DUE = 2 / 3;
/** The part of the lease by which a renewal may be early, to go together with others. */
const EARLY = 0.1;

/** The end of a lease that the server told, for a request that was sent (or granted) at a moment. */
export function endOf(from: number, ttlMs: number): number {
  return from + ttlMs * SURE;
}

/** A lock that was granted, until it is released. */
export class Hold {
  readonly resource: string;
  readonly owner: string;
  readonly id: string;
  readonly fence: number;
  readonly floor: number;
  readonly mode: "exclusive" | "shared";
  readonly permits: number | null;
  /** When the lock was handed out. */
  readonly since: number;
  /** The newest token that is known. */
  token: string;
  /** The renewal that is under way, until the server has confirmed or refused it. */
  renewal: Renewal | null = null;
  /** Whether the server says that the grant has ended. Then there is nothing to release. */
  gone = false;
  /** The release, once it has begun: whether the server has confirmed it. */
  releasing: Promise<boolean> | null = null;
  /** Whether the holder has looked whether the lock was lost. */
  looked = false;
  #ends: number;
  #breaking = false;
  #over = false;
  #loss: LockLostError | null = null;
  readonly #lost = new AbortController();

  constructor(
    readonly way: Way,
    readonly terms: Terms,
    readonly tell: Listener,
    lock: Lock,
    ends: number,
  ) {
    this.resource = lock.resource;
    this.owner = lock.owner;
    this.id = lock.id;
    this.fence = lock.fence;
    this.floor = lock.floor ?? lock.fence;
    this.mode = lock.mode ?? "exclusive";
    this.permits = lock.permits ?? null;
    this.since = way.clock.now();
    this.token = lock.token;
    this.#ends = ends;
  }

  /** Until then the server grants the lock to nobody else, by the clock of this client. */
  get ends(): number {
    return this.#ends;
  }

  /** Is aborted with the loss when the lock counts as lost. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether the holder is done with the lock: it was released, detached, or is about to be. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether the lock is held for sure at this moment. */
  get held(): boolean {
    return !this.#over && this.loss() === null;
  }

  /** The loss of the lock, decided by the clock now. Once the lock was lost, it stays lost. */
  loss(): LockLostError | null {
    if (this.#loss || this.#over) return this.#loss;
    const now = this.way.clock.now();
    if (now >= this.#ends - this.terms.graceMs) {
      if (this.#breaking) return this.end("somebody broke the lock, and the grace is over", null);
      const why = this.renewal?.trouble;
      return this.lose("unconfirmed", `no renewal was confirmed in time${why ? ` (${why})` : ""}`);
    }
    if (now >= this.since + this.terms.maxHoldMs)
      return this.lose("max_hold", "it was held for as long as maxHoldMs allows");
    return null;
  }

  /** Notes that the lock is lost, once. */
  lose(reason: LossReason, detail: string, requestId: string | null = null): LockLostError {
    if (this.#loss) return this.#loss;
    this.#loss = new LockLostError(this.resource, reason, detail, requestId);
    this.tell({ event: "lost", resource: this.resource, reason, detail });
    this.#lost.abort(this.#loss);
    return this.#loss;
  }

  /** Notes that the server says that the grant has ended. */
  end(detail: string, requestId: string | null): LockLostError {
    this.gone = true;
    return this.lose("ended", detail, requestId);
  }

  /** Notes a renewal that the server has confirmed. It doesn't revive a lock that was lost. */
  confirm(sent: number, ttlMs: number, token: string): void {
    this.renewal = null;
    this.token = token;
    if (this.#over || this.loss()) return;
    this.#ends = endOf(sent, ttlMs);
    this.tell({ event: "renewed", resource: this.resource });
  }

  /** Notes that somebody breaks the lock, and how much of the lease the server leaves. */
  break(sent: number, leftMs: number): void {
    this.renewal = null;
    if (this.#breaking || this.#over || this.loss()) return;
    this.#breaking = true;
    this.#ends = Math.min(this.#ends, endOf(sent, leftMs));
    this.tell({ event: "breaking", resource: this.resource, leftMs });
    this.loss();
  }

  /** Notes that the holder is done with the lock. No renewal begins from now on. Returns the loss, if it was lost. */
  finish(): LockLostError | null {
    const loss = this.loss();
    this.#over = true;
    return loss;
  }

  /** When there is something to do next: to renew, or to tell the loss. */
  get wakeAt(): number {
    const lost = Math.min(this.#ends - this.terms.graceMs, this.since + this.terms.maxHoldMs);
    return Math.min(lost, this.#renewAt);
  }

  /** Whether a renewal is due. */
  isDue(now: number): boolean {
    return now >= this.#renewAt;
  }

  /** Whether a renewal may go together with others that are due. */
  isNearlyDue(now: number): boolean {
    return now >= this.#renewAt - (this.renewal ? 0 : EARLY * this.terms.ttlMs);
  }

  get #renewAt(): number {
    if (this.#breaking) return Infinity;
    const due = this.#ends - DUE * this.terms.ttlMs;
    return this.renewal ? Math.max(due, this.renewal.nextAt) : due;
  }
}
