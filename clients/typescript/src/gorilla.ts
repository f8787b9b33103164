/** The client of a Gorilla server. */

import type { Client, Part } from "./acquire.js";
import { acquireOne, acquireSet, adoptOne } from "./acquire.js";
import type { Clock } from "./clock.js";
import { systemClock } from "./clock.js";
import type { ElectOptions, Lead } from "./elect.js";
import { elect } from "./elect.js";
import { attachLoss, LockLostError, RefusedError } from "./errors.js";
import type { Listener } from "./events.js";
import { tellAll } from "./events.js";
import type { Free, Held, Shared } from "./generated/wire.js";
import type { Way } from "./http.js";
import { Keeper } from "./keeper.js";
import { link } from "./link.js";
import type { Ticket } from "./lock.js";
import { Lock, LockSet } from "./lock.js";
import type { OnceOptions, SKIPPED } from "./once.js";
import { once } from "./once.js";
import type { AcquireOptions, AdoptOptions, AskOptions } from "./options.js";
import { time } from "./options.js";
import { release } from "./release.js";
import * as requests from "./requests.js";
import { call } from "./retry.js";
import { defaultOwner, environment } from "./runtime.js";
import type { LockEvent, WatchOptions } from "./watch.js";
import { watch } from "./watch.js";

/** The settings of a client. */
export interface GorillaOptions {
  /** The address of the server. `GORILLA_URL` by default, else `http://127.0.0.1:4000`. */
  readonly url?: string | undefined;
  /** The API key. `GORILLA_API_KEY` by default. */
  readonly apiKey?: string | undefined;
  /** The owner of all locks, a label for people. By default the name of the machine and the id of the process. */
  readonly owner?: string | undefined;
  /** How long to send a request again while the server can't be reached or can't serve. 5 s by default. */
  readonly patienceMs?: number | undefined;
  /** Is called with what happens to all locks of this client. */
  readonly onEvent?: Listener | undefined;
  /** In place of the `fetch` of the runtime, for proxies and certificate authorities of your own. */
  readonly fetch?: typeof fetch | undefined;
  /** In place of the clock of the machine, for tests. */
  readonly clock?: Clock | undefined;
}

/** The work that is done while a lock is held. `lost` is aborted when the lock counts as lost: pass it on. */
export type Body<Held, Result> = (lock: Held, lost: AbortSignal) => Result | Promise<Result>;

/** What `using` needs of a lock or of several. */
interface Releasable {
  readonly signal: AbortSignal;
  release(): Promise<boolean>;
}

const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/**
 * A client of a Gorilla server, or of a load balancer in front of several replicas. Use one client for all locks of a
 * program: it renews them together.
 */
export class Gorilla {
  readonly #client: Client;
  readonly #keeper: Keeper;
  readonly #onEvent: Listener | undefined;
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<unknown>>();

  /** @throws RefusedError with the code `invalid_url` or `invalid_api_key` */
  constructor(options: GorillaOptions = {}) {
    const way: Way = {
      url: checkedUrl(options.url ?? environment("GORILLA_URL") ?? "http://127.0.0.1:4000"),
      apiKey: checkedKey(options.apiKey ?? environment("GORILLA_API_KEY")),
      fetch: options.fetch ?? ((...args) => globalThis.fetch(...args)),
      clock: options.clock ?? systemClock,
      patienceMs: time("patienceMs", options.patienceMs, 5000),
      rotates: false,
    };
    const background = (task: Promise<unknown>) => {
      const settled = task.catch(() => {}).then(() => void this.#background.delete(settled));
      this.#background.add(settled);
    };
    this.#client = { way, owner: options.owner ?? defaultOwner(), background };
    this.#keeper = new Keeper(way);
    this.#onEvent = options.onEvent;
  }

  /** The address of the server. */
  get url(): string {
    return this.#client.way.url;
  }

  /** The clock by which this client counts leases. */
  get clock(): Clock {
    return this.#client.way.clock;
  }

  /**
   * Acquires a lock, runs `body` while holding it, and releases it. If `body` throws, its error comes out. If `body`
   * returns and the lock was lost meanwhile, `LockLostError` comes out. Resolves only when `body` has ended.
   *
   * @throws NotAcquiredError if another client has the lock at the end of the wait.
   */
  using<Result>(resource: string, body: Body<Lock, Result>): Promise<Result>;
  using<Result>(resource: string, options: AcquireOptions, body: Body<Lock, Result>): Promise<Result>;
  using<Result>(
    resource: string,
    ...rest: [Body<Lock, Result>] | [AcquireOptions, Body<Lock, Result>]
  ): Promise<Result> {
    const [options, body] = withOptions<AcquireOptions, Body<Lock, Result>>(rest);
    return this.#using(() => this.acquire(resource, options), options, body);
  }

  /** The same with several locks, all or none. */
  usingAll<Result>(parts: readonly Part[], body: Body<LockSet, Result>): Promise<Result>;
  usingAll<Result>(parts: readonly Part[], options: AskOptions, body: Body<LockSet, Result>): Promise<Result>;
  usingAll<Result>(
    parts: readonly Part[],
    ...rest: [Body<LockSet, Result>] | [AskOptions, Body<LockSet, Result>]
  ): Promise<Result> {
    const [options, body] = withOptions<AskOptions, Body<LockSet, Result>>(rest);
    return this.#using(() => this.acquireAll(parts, options), options, body);
  }

  /**
   * Acquires a lock, for `await using` or to release it by hand. The signal among the options ends the waiting only.
   *
   * @throws NotAcquiredError if another client has the lock at the end of the wait.
   */
  async acquire(resource: string, options: AcquireOptions = {}): Promise<Lock> {
    requests.pathOf(resource);
    const hold = await this.#open(options.signal, (signal) => {
      return acquireOne(this.#client, resource, { ...options, signal }, this.#tellAlso(options.onEvent));
    });
    this.#keeper.keep(hold);
    return new Lock(hold, this.#keeper);
  }

  /**
   * Acquires several locks, all or none. No order of the names can make two such requests wait for each other.
   *
   * @throws NotAcquiredError if another client has one of the locks at the end of the wait.
   */
  async acquireAll(parts: readonly Part[], options: AskOptions = {}): Promise<LockSet> {
    const holds = await this.#open(options.signal, (signal) => {
      return acquireSet(this.#client, parts, { ...options, signal }, this.#tellAlso(options.onEvent));
    });
    for (const hold of holds) this.#keeper.keep(hold);
    return new LockSet(holds, this.#keeper);
  }

  /**
   * Goes on holding a lock that another process has detached. Renews it first.
   *
   * @throws LockLostError if the lock has ended meanwhile.
   */
  async adopt(ticket: Pick<Ticket, "resource" | "token">, options: AdoptOptions = {}): Promise<Lock> {
    const { resource, token } = ticket;
    const hold = await this.#open(undefined, () => {
      return adoptOne(this.#client, resource, token, options, this.#tellAlso(options.onEvent));
    });
    this.#keeper.keep(hold);
    return new Lock(hold, this.#keeper);
  }

  /**
   * Makes a job that runs on one machine although several machines start it. Where another machine has the lock, the job
   * answers `SKIPPED`. If the machines' clocks differ, give `atLeastMs`: more than the clocks differ.
   */
  once<Arguments extends unknown[], Result>(
    name: string,
    options: OnceOptions,
    job: (...args: Arguments) => Result | Promise<Result>,
  ): (...args: Arguments) => Promise<Result | typeof SKIPPED> {
    return once(this, name, options, job);
  }

  /**
   * Campaigns to lead, for as long as it takes, and runs `lead` when elected. If this client loses the lead, `lost` is
   * aborted, and it campaigns again when `lead` has ended. When `lead` returns, this client resigns, and `elect` answers
   * what it returned. The signal among the options ends the campaign, and aborts `lost`.
   */
  elect<Result>(name: string, lead: Lead<Result>): Promise<Result>;
  elect<Result>(name: string, options: ElectOptions, lead: Lead<Result>): Promise<Result>;
  elect<Result>(name: string, ...rest: [Lead<Result>] | [ElectOptions, Lead<Result>]): Promise<Result> {
    const [options, lead] = withOptions<ElectOptions, Lead<Result>>(rest);
    return elect(this, name, options, lead);
  }

  /** What happens to locks, as it happens. Connects again by itself, until the loop ends or the signal is aborted. */
  watch(options: WatchOptions = {}): AsyncGenerator<LockEvent, void, undefined> {
    return watch(this.#client.way, this.#closing.signal, options, tellAll(this.#onEvent));
  }

  /** Who holds a lock, as everybody may know. */
  async state(resource: string): Promise<Held | Shared | Free> {
    return (await call(this.#client.way, requests.state(resource))).body as Held | Shared | Free;
  }

  /**
   * Releases all locks, ends what waits, and aborts what runs in `using` and `elect`. Never throws; afterwards the client
   * refuses with the code `closed`. For the end of a program, and of tests.
   */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(new RefusedError("closed", "this client was closed"));
    await Promise.allSettled(release(this.#keeper, this.#keeper.holds));
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect](): string {
    return `Gorilla { url: ${JSON.stringify(this.url)} }`;
  }

  #tellAlso(onEvent: Listener | undefined): Listener {
    return tellAll(this.#onEvent, onEvent);
  }

  /** Makes a call that ends when the signal is aborted, or when the client is closed. */
  async #open<Result>(
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const linked = link(this.#closing.signal, signal);
    try {
      linked.signal.throwIfAborted();
      return await call(linked.signal);
    } finally {
      linked.end();
    }
  }

  async #using<Held extends Releasable, Result>(
    acquire: () => Promise<Held>,
    { signal }: AskOptions,
    body: Body<Held, Result>,
  ): Promise<Result> {
    const lock = await acquire();
    const lost = link(lock.signal, signal, this.#closing.signal);
    let result: Result;
    try {
      result = await body(lock, lost.signal);
    } catch (error) {
      await lock.release().catch((loss: unknown) => {
        if (loss instanceof LockLostError) attachLoss(error, loss);
      });
      throw error;
    } finally {
      lost.end();
    }
    await lock.release();
    return result;
  }
}

function withOptions<Options extends object, Work>(rest: [Work] | [Options, Work]): [Options, Work] {
  return rest.length === 1 ? [{} as Options, rest[0]] : rest;
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isServer = url && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username && !url.password;
  if (isServer) return url.href.replace(/\/+$/, "");
  // The text may have a password.
  const shown = url?.password ? "the URL" : JSON.stringify(text);
  throw new RefusedError(
    "invalid_url",
    `${shown} is not the address of a server, such as http://127.0.0.1:4000`,
    "url",
  );
}

function checkedKey(key: string | undefined): string | undefined {
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new RefusedError("invalid_api_key", "the API key has characters that a header must not have", "apiKey");
  }
  return key;
}
