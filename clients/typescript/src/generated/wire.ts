// Made from docs/openapi.json by scripts/generate.mjs. Don't edit: run `npm run generate`.

/** Takes a lock, or waits for it. */
export interface Acquire {
  /**
   * Only for a request that has to wait: seconds before its arrival at which it counts as having arrived. So it
   * comes before those that arrived within this time, and after all others. A number or a numeric string, 0 to
   * `limits.max_wait` (60 by default).
   */
  readonly headstart?: number | string | null;
  /**
   * Only with `shared`: how many permits all holders together may have. Without it there is no limit, as for
   * readers. While a limit is pinned, a request need not name it.
   */
  readonly limit?: number | null;
  /**
   * Any JSON. Gorilla keeps a list as it is; null or a missing value becomes [], any other value the only element
   * of a list. At most 4096 bytes without the white space between its parts, nested at most 64 deep.
   */
  readonly metadata?: unknown;
  /** `exclusive`, or `shared` for a lock that several clients hold at once. `exclusive` without this field. */
  readonly mode?: "exclusive" | "shared" | null;
  /** A label that says who holds the lock; 1 to 256 bytes. */
  readonly owner: string;
  /** Only with `limit`: how many permits this lock takes; 1 without this field. */
  readonly permits?: number | null;
  /**
   * Only for a request that has to wait: a text of 1 to 256 bytes. When the request joins the queue, the request
   * that waits there with the same text is dismissed (409 `replaced`).
   */
  readonly replaces?: string | null;
  /**
   * Seconds, as a number or a numeric string, rounded to a millisecond; at most `limits.max_timeout` (86400 by
   * default). The pattern is that of plain decimals; other forms of a number, such as "1e1", are taken too.
   */
  readonly timeout: number | string;
  /**
   * Seconds to wait for the lock in a fair queue: a number or a numeric string, 0 to `limits.max_wait` (60 by
   * default). With null, with 0 or without this field the request does not wait.
   */
  readonly wait?: number | string | null;
}

/** An item of a batch that does what the operation `acquire` does. */
export interface AcquireItem {
  /**
   * Only for a request that has to wait: seconds before its arrival at which it counts as having arrived. So it
   * comes before those that arrived within this time, and after all others. A number or a numeric string, 0 to
   * `limits.max_wait` (60 by default).
   */
  readonly headstart?: number | string | null;
  /**
   * Only with `shared`: how many permits all holders together may have. Without it there is no limit, as for
   * readers. While a limit is pinned, a request need not name it.
   */
  readonly limit?: number | null;
  /**
   * Any JSON. Gorilla keeps a list as it is; null or a missing value becomes [], any other value the only element
   * of a list. At most 4096 bytes without the white space between its parts, nested at most 64 deep.
   */
  readonly metadata?: unknown;
  /** `exclusive`, or `shared` for a lock that several clients hold at once. `exclusive` without this field. */
  readonly mode?: "exclusive" | "shared" | null;
  /** What to do. */
  readonly op: "acquire";
  /** A label that says who holds the lock; 1 to 256 bytes. */
  readonly owner: string;
  /** Only with `limit`: how many permits this lock takes; 1 without this field. */
  readonly permits?: number | null;
  /**
   * Only for a request that has to wait: a text of 1 to 256 bytes. When the request joins the queue, the request
   * that waits there with the same text is dismissed (409 `replaced`).
   */
  readonly replaces?: string | null;
  /** The name of the resource, as it is: not percent-encoded. */
  readonly resource: string;
  /**
   * Seconds, as a number or a numeric string, rounded to a millisecond; at most `limits.max_timeout` (86400 by
   * default). The pattern is that of plain decimals; other forms of a number, such as "1e1", are taken too.
   */
  readonly timeout: number | string;
}

/** Takes several locks, all or none, or waits for them. */
export interface AcquireSet {
  /** Kept with each lock, as in the acquire of one lock. */
  readonly metadata?: unknown;
  /** A label that says who holds the locks; 1 to 256 bytes. */
  readonly owner: string;
  /** What to lock; no resource twice. */
  readonly resources: readonly SetPart[];
  /**
   * The lease of each lock. Seconds, as a number or a numeric string, rounded to a millisecond; at most
   * `limits.max_timeout` (86400 by default). The pattern is that of plain decimals; other forms of a number, such
   * as "1e1", are taken too.
   */
  readonly timeout: number | string;
  /**
   * Seconds to wait for all locks together, in the fair queue of each: a number or a numeric string, 0 to
   * `limits.max_wait` (60 by default). With null, with 0 or without this field the request does not wait.
   */
  readonly wait?: number | string | null;
}

/** Many operations in one request. */
export interface Batch {
  /**
   * With `true` the answer leaves out items that succeeded. Only for items whose answers have no new token:
   * releases, and extends with `"rotate": false`.
   */
  readonly brief?: boolean | null;
  /** At most 1000 items, each with the fields of the body of its operation, and `op`, `resource` and `token`. */
  readonly operations: readonly Item[];
}

/** What came of the items of a batch. */
export interface Batched {
  /** How many items were refused and changed nothing. */
  readonly failed: number;
  /** How many items succeeded. */
  readonly ok: number;
  /** What came of each item, in the order of the items; with `brief` only of items that did not succeed. */
  readonly results: readonly ItemResult[];
  /** How many items may have been executed or not. */
  readonly unknown: number;
}

/**
 * Gorilla's own form of an answer that is not a success. A client reads the code as text, because a server of a
 * later version may have more codes.
 */
export interface ErrorBody {
  /** With a token whose grant somebody has broken: when, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly brokenAt?: string;
  /**
   * With brokenAt: the name of the API key that broke it. Absent if no key was demanded, or if the key of this
   * request may not look at the lock.
   */
  readonly brokenBy?: string;
  /** Stable. */
  readonly code: string;
  /** A sentence for a person; may change. */
  readonly errorMessage: string;
  /** The fencing token: larger than that of every earlier grant of the resource, below 2^53. */
  readonly fence?: number;
  /** With invalid_request about one field, parameter or header: its name. */
  readonly field?: string;
  /** Clients that hold the lock. */
  readonly holderCount?: number;
  /** With invalid_request about an item of a batch: which item, counted from 0. */
  readonly index?: number;
  /** The limit that is in force, in permits. */
  readonly limit?: number;
  /** How the lock is held, where several clients hold it: `shared`. */
  readonly mode?: "exclusive" | "shared" | null;
  /** Whether this request may have changed anything. */
  readonly outcome: "not_executed" | "unknown";
  /** A label that says who holds the lock; 1 to 256 bytes. */
  readonly owner?: string;
  /** With wait_timeout: the place in the queue at the time of the answer; 0 for a request without a place. */
  readonly position?: number;
  /** With quota_exceeded: the limit in the access file that the API key has reached. */
  readonly quota?: string;
  /** With brokenAt: why, if whoever broke it gave a reason. */
  readonly reason?: string;
  /** Milliseconds until Gorilla grants the lock again. */
  readonly recoveringMs?: number;
  /** As decoded from the path. */
  readonly resource?: string;
  /** Milliseconds that remained when Redis answered. */
  readonly ttlMs?: number;
  /** Permits that the holders have together. */
  readonly used?: number;
  /** With insufficient_scope: the verb that the API key does not allow. */
  readonly verb?: string;
  /** Requests that wait for the lock. */
  readonly waiting?: number;
}

/** Extends a lease. */
export interface Extend {
  /**
   * Only with `shared`: how many permits all holders together may have. Without it there is no limit, unless
   * others who wait have named one.
   */
  readonly limit?: number | null;
  /** Replaces the metadata, as in an acquire. Without this field the metadata stays. */
  readonly metadata?: unknown;
  /** Converts the lock to this mode, `exclusive` or `shared`; without this field the mode stays. */
  readonly mode?: "exclusive" | "shared" | null;
  /** Only with `limit`: how many permits this lock takes; 1 without this field. */
  readonly permits?: number | null;
  /** With `false` the token stays; without this field, or with `true`, the answer has a new token. */
  readonly rotate?: boolean | null;
  /**
   * Seconds, as a number or a numeric string, rounded to a millisecond; at most `limits.max_timeout` (86400 by
   * default). The pattern is that of plain decimals; other forms of a number, such as "1e1", are taken too.
   */
  readonly timeout: number | string;
}

/** An item of a batch that does what the operation `extend` does. */
export interface ExtendItem {
  /**
   * Only with `shared`: how many permits all holders together may have. Without it there is no limit, unless
   * others who wait have named one.
   */
  readonly limit?: number | null;
  /** Replaces the metadata, as in an acquire. Without this field the metadata stays. */
  readonly metadata?: unknown;
  /** Converts the lock to this mode, `exclusive` or `shared`; without this field the mode stays. */
  readonly mode?: "exclusive" | "shared" | null;
  /** What to do. */
  readonly op: "extend";
  /** Only with `limit`: how many permits this lock takes; 1 without this field. */
  readonly permits?: number | null;
  /** The name of the resource, as it is: not percent-encoded. */
  readonly resource: string;
  /** With `false` the token stays; without this field, or with `true`, the answer has a new token. */
  readonly rotate?: boolean | null;
  /**
   * Seconds, as a number or a numeric string, rounded to a millisecond; at most `limits.max_timeout` (86400 by
   * default). The pattern is that of plain decimals; other forms of a number, such as "1e1", are taken too.
   */
  readonly timeout: number | string;
  /** The token of the lock. */
  readonly token: string;
}

/** What everybody may know of a lock that nobody holds. */
export interface Free {
  /** Nobody holds it. */
  readonly held: false;
  /** The name of the resource, as decoded from the path. */
  readonly resource: string;
  /** How many requests wait for it. */
  readonly waiting: number;
}

/** What everybody may know of a lock that one client holds. */
export interface Held {
  /**
   * True while somebody breaks the lock and has left its holder a grace; only then. Of a shared lock it is that of
   * the holder that ends last.
   */
  readonly breaking?: true;
  /**
   * The name of the API key that took the lock. Absent where no key was demanded, and where the key of this
   * request may not look at the lock.
   */
  readonly by?: string;
  /** When the lock was granted, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly createdAt: string;
  /** When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly expireAt: string;
  /** Its fencing token: larger than that of every earlier grant of the resource, below 2^53. */
  readonly fence: number;
  /** Somebody holds it. */
  readonly held: true;
  /** The id of the tenure, a UUIDv7. Extends keep it. */
  readonly id: string;
  /** The metadata that the acquire or the last extend gave, without the white space between its parts. */
  readonly metadata: readonly unknown[];
  /** Who holds the lock: a label of 1 to 256 bytes. */
  readonly owner: string;
  /** How often the holder has extended its lease. Absent where that is not counted: of shared locks. */
  readonly renewals?: number;
  /** The name of the resource, as decoded from the path. */
  readonly resource: string;
  /** How long the lease lasted when Redis answered, in milliseconds. */
  readonly ttlMs: number;
  /** When it was last extended, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly updatedAt: string;
  /** How many requests wait for it. */
  readonly waiting: number;
}

/** One of the clients that share a lock. */
export interface Holder {
  /** True while somebody breaks its grant and has left it a grace; only then. */
  readonly breaking?: true;
  /**
   * The name of the API key that took the lock. Absent where no key was demanded, and where the key of this
   * request may not look at the lock.
   */
  readonly by?: string;
  /** When the lock was granted, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly createdAt: string;
  /** When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly expireAt: string;
  /** Its fencing token: larger than that of every earlier grant of the resource, below 2^53. */
  readonly fence: number;
  /** The id of the tenure, a UUIDv7. Extends keep it. */
  readonly id: string;
  /** The metadata that the acquire or the last extend gave, without the white space between its parts. */
  readonly metadata: readonly unknown[];
  /** Who holds the lock: a label of 1 to 256 bytes. */
  readonly owner: string;
  /** How many permits it has. */
  readonly permits: number;
  /** How often the holder has extended its lease. Absent where that is not counted: of shared locks. */
  readonly renewals?: number;
  /** How long the lease lasted when Redis answered, in milliseconds. */
  readonly ttlMs: number;
  /** When it was last extended, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly updatedAt: string;
}

/** An item of a batch. */
export type Item = AcquireItem | ExtendItem | ReleaseItem;

/** What came of an item of a batch: what the single operation would have been answered. */
export interface ItemResult {
  /** The body that it would have had; a release that succeeds has none. */
  readonly body?: Lock | ErrorBody | Problem;
  /** Which item, counted from 0. */
  readonly index: number;
  /** Present and true if this success was answered before to the same Idempotency-Key. */
  readonly replayed?: true;
  /** The seconds after which to try again, where the answer would have had the header `Retry-After`. */
  readonly retryAfter?: number;
  /** The status that the answer would have had. */
  readonly status: number;
}

/** A lock, for its holder. Its JSON has the token. */
export interface Lock {
  /** Only in the status: the name of the API key that took the lock. Absent where no key was demanded. */
  readonly by?: string;
  /** When it was granted, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly createdAt: string;
  /** When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly expireAt: string;
  /** The fencing token: larger than that of every earlier grant of the resource, below 2^53. */
  readonly fence: number;
  /**
   * The fence of the first lock of the present group of holders. A resource keeps the largest floor that it has
   * seen, and refuses a fence below it: so holders of one group never refuse each other.
   */
  readonly floor?: number;
  /** The id of the holder's tenure, a UUIDv7. Extends keep it. */
  readonly id: string;
  /** How many permits all holders together may have; null if there is no limit. */
  readonly limit?: number | null;
  /** The metadata that the acquire or the last extend gave, without the white space between its parts. */
  readonly metadata: readonly unknown[];
  /** Always `shared`. */
  readonly mode?: "exclusive" | "shared";
  /** Who holds the lock: a label of 1 to 256 bytes. */
  readonly owner: string;
  /** How many permits the lock takes. */
  readonly permits?: number;
  /** The name of the resource that is locked, as decoded from the path. */
  readonly resource: string;
  /**
   * The lease that was granted (acquire, extend), or the whole seconds that remain of it (status); on the wire in
   * seconds.
   */
  readonly timeout: number;
  /**
   * The right to extend and to release it: a UUIDv4, replaced by every extend without `"rotate": false`. The token
   * of a shared lock has the id of its holder and a dot before it.
   */
  readonly token: string;
  /** How long the lease lasted when Redis answered; on the wire in milliseconds. */
  readonly ttlMs: number;
  /** When it was last extended, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly updatedAt: string;
  /** How long the request waited, in milliseconds; only if it waited. */
  readonly waitedMs?: number;
}

/** Several locks of one holder, for the holder. Its JSON has the tokens. */
export interface LockSet {
  /** The locks, in the order of the request. */
  readonly locks: readonly Lock[];
  /**
   * How long all of them are held at least, counted from `waitedMs` after the request was sent; on the wire in
   * milliseconds.
   */
  readonly ttlMs: number;
  /** The milliseconds from when the replica had read the request until the leases began. */
  readonly waitedMs: number;
}

/** The form of RFC 9457 of an answer that is not a success, with the facts as extension members. */
export interface Problem {
  /** With a token whose grant somebody has broken: when, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly brokenAt?: string;
  /**
   * With brokenAt: the name of the API key that broke it. Absent if no key was demanded, or if the key of this
   * request may not look at the lock.
   */
  readonly brokenBy?: string;
  /** Stable. */
  readonly code: "invalid_request" | "token_required" | "authentication_required" | "invalid_key" | "insufficient_scope" | "cross_origin" | "not_found" | "events_off" | "lock_not_found" | "token_not_found" | "method_not_allowed" | "body_timeout" | "lock_held" | "lock_reserved" | "limit_mismatch" | "wait_timeout" | "replaced" | "token_mismatch" | "lock_breaking" | "timeout_shorter" | "fence_changed" | "fence_required" | "lock_gone" | "body_too_large" | "unsupported_media_type" | "host_not_allowed" | "idempotency_key_reused" | "queue_full" | "too_many_holders" | "too_many_listeners" | "quota_exceeded" | "internal_error" | "redis_unavailable" | "redis_refused" | "overloaded" | "recovering" | "not_replicated" | "audit_unavailable" | "draining" | "not_ready" | "outcome_unknown";
  /** A sentence for a person; may change. */
  readonly detail: string;
  /** The fencing token: larger than that of every earlier grant of the resource, below 2^53. */
  readonly fence?: number;
  /** With invalid_request about one field, parameter or header: its name. */
  readonly field?: string;
  /** Clients that hold the lock. */
  readonly holderCount?: number;
  /** With invalid_request about an item of a batch: which item, counted from 0. */
  readonly index?: number;
  /** The limit that is in force, in permits. */
  readonly limit?: number;
  /** How the lock is held, where several clients hold it: `shared`. */
  readonly mode?: "exclusive" | "shared" | null;
  /** Whether this request may have changed anything. */
  readonly outcome: "not_executed" | "unknown";
  /** A label that says who holds the lock; 1 to 256 bytes. */
  readonly owner?: string;
  /** With wait_timeout: the place in the queue at the time of the answer; 0 for a request without a place. */
  readonly position?: number;
  /** With quota_exceeded: the limit in the access file that the API key has reached. */
  readonly quota?: string;
  /** With brokenAt: why, if whoever broke it gave a reason. */
  readonly reason?: string;
  /** Milliseconds until Gorilla grants the lock again. */
  readonly recoveringMs?: number;
  /** As decoded from the path. */
  readonly resource?: string;
  /** The status of the answer. */
  readonly status: number;
  /** The code in words. */
  readonly title: string;
  /** Milliseconds that remained when Redis answered. */
  readonly ttlMs?: number;
  /** A URN that ends with the code. */
  readonly type: string;
  /** Permits that the holders have together. */
  readonly used?: number;
  /** With insufficient_scope: the verb that the API key does not allow. */
  readonly verb?: string;
  /** Requests that wait for the lock. */
  readonly waiting?: number;
}

/** An item of a batch that does what the operation `release` does. */
export interface ReleaseItem {
  /** What to do. */
  readonly op: "release";
  /** The name of the resource, as it is: not percent-encoded. */
  readonly resource: string;
  /** The token of the lock. */
  readonly token: string;
}

/** One resource of a set. */
export interface SetPart {
  /** As in the acquire of one lock. */
  readonly limit?: number | null;
  /** As in the acquire of one lock. */
  readonly mode?: "exclusive" | "shared" | null;
  /** As in the acquire of one lock. */
  readonly permits?: number | null;
  /** The name of the resource, by the rules of a name in a path, but not percent-encoded. */
  readonly resource: string;
}

/** What everybody may know of a lock that several clients may hold. */
export interface Shared {
  /**
   * True while somebody breaks the lock and has left its holder a grace; only then. Of a shared lock it is that of
   * the holder that ends last.
   */
  readonly breaking?: true;
  /**
   * The name of the API key that took the lock. Absent where no key was demanded, and where the key of this
   * request may not look at the lock.
   */
  readonly by?: string;
  /** When the lock was granted, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly createdAt: string;
  /** When its lease ends, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly expireAt: string;
  /** Its fencing token: larger than that of every earlier grant of the resource, below 2^53. */
  readonly fence: number;
  /** Somebody holds it. */
  readonly held: true;
  /** How many holders there are. */
  readonly holderCount: number;
  /** The holders, those first that end last: at most 100, and in a list of locks at most 10. */
  readonly holders: readonly Holder[];
  /** The id of the tenure, a UUIDv7. Extends keep it. */
  readonly id: string;
  /** How many permits all holders together may have; null if there is no limit. */
  readonly limit: number | null;
  /** The metadata that the acquire or the last extend gave, without the white space between its parts. */
  readonly metadata: readonly unknown[];
  /** Always `shared`. */
  readonly mode: "exclusive" | "shared";
  /** Who holds the lock: a label of 1 to 256 bytes. */
  readonly owner: string;
  /** How often the holder has extended its lease. Absent where that is not counted: of shared locks. */
  readonly renewals?: number;
  /** The name of the resource, as decoded from the path. */
  readonly resource: string;
  /** How long the lease lasted when Redis answered, in milliseconds. */
  readonly ttlMs: number;
  /** When it was last extended, RFC 3339 in UTC with milliseconds, by the clock of Redis. */
  readonly updatedAt: string;
  /** How many permits they have. */
  readonly used: number;
  /** How many requests wait for it. */
  readonly waiting: number;
}
