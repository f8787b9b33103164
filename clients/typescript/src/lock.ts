/** A lock as its holder has it. */

import { LockLostError } from "./errors.js";
import type { Hold } from "./hold.js";
import type { Keeper } from "./keeper.js";
import { release, settle } from "./release.js";

/** By what name Node.js looks for a function that shows an object. */
const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** All that another process needs to go on holding a lock. Keep it secret: whoever has the token can release the lock. */
export interface Ticket {
  readonly resource: string;
  readonly id: string;
  readonly fence: number;
  readonly token: string;
}

/**
 * A lock that is held. It is renewed in the background until it is released or lost. A lock that is held doesn't keep
 * the process alive; without a release it ends with its lease.
 */
export class Lock {
  readonly #hold: Hold;
  readonly #keeper: Keeper;

  /** @internal */
  constructor(hold: Hold, keeper: Keeper) {
    this.#hold = hold;
    this.#keeper = keeper;
  }

  /** The name of what is locked. */
  get resource(): string {
    return this.#hold.resource;
  }

  /** The label that this client gave itself. */
  get owner(): string {
    return this.#hold.owner;
  }

  /** The id of the grant. */
  get id(): string {
    return this.#hold.id;
  }

  /**
   * The fencing token: larger than those of all earlier grants. Send it along with each write, and let the storage reject
   * a fence that is smaller than one it has seen.
   */
  get fence(): number {
    return this.#hold.fence;
  }

  /**
   * The fence of the first of those that share the lock now; of an exclusive lock, the fence. Storage that keeps the
   * largest floor, and rejects a fence below it, never rejects one of several holders that share a lock.
   */
  get floor(): number {
    return this.#hold.floor;
  }

  /** Whether the lock is held alone or together with others. */
  get mode(): "exclusive" | "shared" {
    return this.#hold.mode;
  }

  /** How many permits of a shared lock this holder has; null of an exclusive lock. */
  get permits(): number | null {
    return this.#hold.permits;
  }

  /** Whether the lock is held for sure at this moment. Looks at the clock itself, so no timer need have run. */
  get held(): boolean {
    return this.#hold.held;
  }

  /** For how long the lock is held at least, if no renewal succeeds: until it counts as lost. 0 if it is not held. */
  get leftMs(): number {
    const { held, ends, terms, way } = this.#hold;
    return held ? Math.max(0, ends - terms.graceMs - way.clock.now()) : 0;
  }

  /** Throws `LockLostError` unless the lock is held for sure at this moment. */
  check(): void {
    this.#hold.looked = true;
    if (this.#hold.held) return;
    throw this.#hold.loss() ?? new LockLostError(this.resource, "ended", "it was released before", null);
  }

  /** Is aborted, with a `LockLostError` as its reason, when the lock counts as lost. Pass it on to what you call. */
  get signal(): AbortSignal {
    this.#hold.looked = true;
    return this.#hold.signal;
  }

  /**
   * Gives the lock back. Answers whether the server has confirmed it; if not, the lock ends with its lease. A second
   * call answers the same.
   *
   * @throws LockLostError if the lock was lost before.
   */
  release(): Promise<boolean> {
    return release(this.#keeper, [this.#hold])[0] as Promise<boolean>;
  }

  /**
   * Stops the renewing and hands the lock over: whoever has the ticket can `adopt` the lock within the lease. From then
   * on this object doesn't hold the lock.
   *
   * @throws LockLostError if the lock was lost before.
   */
  async detach(): Promise<Ticket> {
    this.check();
    const hold = this.#hold;
    hold.finish();
    hold.releasing = Promise.resolve(true);
    this.#keeper.forget(hold);
    await settle(hold);
    const { resource, id, fence, token } = hold;
    return { resource, id, fence, token };
  }

  /**
   * Gives the lock back at the end of `await using`. It can't see how the block ended, so it throws `LockLostError` only
   * if the block has never looked at `signal` or called `check()`.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const { looked } = this.#hold;
    try {
      await this.release();
    } catch (error) {
      if (!looked) throw error;
    }
  }

  /** What may be shown of the lock: not its token. */
  toJSON(): { resource: string; owner: string; id: string; fence: number; held: boolean } {
    const { resource, owner, id, fence, held } = this;
    return { resource, owner, id, fence, held };
  }

  /** The same for `console.log`. */
  [inspect](): string {
    return `Lock ${JSON.stringify(this)}`;
  }
}

/** Several locks, all or none. */
export class LockSet {
  readonly #keeper: Keeper;
  readonly #holds: readonly Hold[];
  readonly #lost = new AbortController();
  /** Each lock, in the order of the request. Write to each resource with the fence of its own lock. */
  readonly locks: readonly Lock[];

  /** @internal */
  constructor(holds: readonly Hold[], keeper: Keeper) {
    this.#holds = holds;
    this.#keeper = keeper;
    this.locks = holds.map((hold) => new Lock(hold, keeper));
    for (const { signal } of holds) {
      signal.addEventListener("abort", () => this.#lost.abort(signal.reason), { once: true });
    }
  }

  /** The lock with this name. */
  get(resource: string): Lock | undefined {
    return this.locks.find((lock) => lock.resource === resource);
  }

  /** Whether all of the locks are held for sure at this moment. */
  get held(): boolean {
    return this.#holds.every((hold) => hold.held);
  }

  /** For how long all of the locks are held at least. */
  get leftMs(): number {
    return Math.min(...this.locks.map((lock) => lock.leftMs));
  }

  /** Throws `LockLostError` unless all of the locks are held for sure at this moment. */
  check(): void {
    for (const lock of this.locks) lock.check();
  }

  /** Is aborted when the first of the locks counts as lost. The others are held then. */
  get signal(): AbortSignal {
    for (const hold of this.#holds) hold.looked = true;
    return this.#lost.signal;
  }

  /**
   * Gives all locks back. Answers whether the server has confirmed it for each.
   *
   * @throws LockLostError if one of the locks was lost before. The others are given back all the same.
   */
  async release(): Promise<boolean> {
    const outcomes = await Promise.allSettled(release(this.#keeper, this.#holds));
    const lost = outcomes.find((outcome) => outcome.status === "rejected");
    if (lost) throw lost.reason;
    return outcomes.every((outcome) => outcome.status === "fulfilled" && outcome.value);
  }

  /** Gives all locks back at the end of `await using`, as a `Lock` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    const looked = this.#holds.some((hold) => hold.looked);
    try {
      await this.release();
    } catch (error) {
      if (!looked) throw error;
    }
  }
}
