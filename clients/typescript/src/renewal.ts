/** One renewal of a lock, with all its attempts. */

import type { Hold } from "./hold.js";
import { ANSWER_MS, exchange, Refusal, Trouble } from "./http.js";
import { extend, newKey, readLock } from "./requests.js";
import { KEY_LIFE_MS, Retry } from "./retry.js";

/** The part of the time until the deadline in which a renewal may go together with others. */
const TOGETHER = 0.75;

export class Renewal {
  /** When the next attempt is due; `Infinity` while one is under way. */
  nextAt: number;
  /** Why the last attempt failed. */
  trouble: string | undefined;
  /** The attempt that is under way. */
  attempt: Promise<void> | null = null;
  /** From then on the lock is renewed by a request of its own. */
  readonly aloneFrom: number;
  readonly #retry = new Retry();
  #key = newKey();
  #firstSent: number;

  constructor(readonly hold: Hold) {
    const now = hold.way.clock.now();
    [this.nextAt, this.#firstSent] = [now, now];
    this.aloneFrom = now + TOGETHER * (hold.ends - hold.terms.graceMs - now);
  }

  /** Whether an attempt with a request of its own may have replaced the token. */
  get inDoubt(): boolean {
    return this.#retry.inDoubt;
  }

  /** Marks an attempt as under way. */
  begin(attempt: Promise<void>): Promise<void> {
    this.nextAt = Infinity;
    this.attempt = attempt;
    return attempt;
  }

  /** Notes that an attempt failed, and when the next is due. */
  fail(trouble: Trouble): void {
    const { way, tell, resource } = this.hold;
    this.attempt = null;
    this.trouble = trouble.message;
    this.nextAt = way.clock.now() + this.#retry.pauseAfter(trouble);
    tell({ event: "trouble", resource, reason: trouble.message });
  }

  /** Makes an attempt with a request of its own. Never throws. */
  async alone(): Promise<void> {
    const { way, resource, token, terms } = this.hold;
    const now = way.clock.now();
    if (!this.inDoubt || now > this.#firstSent + KEY_LIFE_MS) [this.#key, this.#firstSent] = [newKey(), now];
    const body = { timeout: terms.ttlMs / 1000, ...(way.rotates ? {} : { rotate: false }) };
    // Short enough for a second attempt.
    const request = extend(resource, token, body, this.#key, Math.min(ANSWER_MS, terms.ttlMs / 4));
    try {
      const { sent, body } = await exchange(way, request);
      const lock = readLock(body);
      this.hold.confirm(sent, lock.ttlMs, lock.token);
    } catch (error) {
      if (error instanceof Refusal) this.refused(error);
      else this.fail(error instanceof Trouble ? error : new Trouble(String(error), false));
    }
  }

  /** Notes what the server says instead of renewing. */
  refused(refusal: Refusal): void {
    const { hold } = this;
    const { ttlMs, field } = refusal.body;
    this.attempt = null;
    if (refusal.ended) {
      hold.renewal = null;
      hold.end(refusal.message, refusal.requestId);
    } else if (refusal.code === "lock_breaking" && ttlMs !== undefined) {
      hold.break(refusal.sent, ttlMs);
    } else if (refusal.code === "timeout_shorter" && ttlMs !== undefined) {
      // Somebody with the token has given the lease a longer time.
      hold.confirm(refusal.sent, Math.min(ttlMs, hold.terms.ttlMs), hold.token);
    } else if (refusal.code === "invalid_request" && field === "rotate" && !hold.way.rotates) {
      hold.way.rotates = true;
      this.nextAt = hold.way.clock.now();
    } else {
      // Whoever refuses may think better of it, as when a key is allowed again.
      this.fail(new Trouble(refusal.message, false, refusal.requestId));
    }
  }
}
