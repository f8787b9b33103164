// Made from docs/openapi.json by scripts/generate.mjs. Don't edit: run `npm run generate`.

/** A code of a refusal that this version knows. A server of a later version may have more. */
export type Code =
  // 400: A field, parameter, header or the body breaks its rule.
  | "invalid_request"
  // 400: A PUT or DELETE has no token.
  | "token_required"
  // 401: The replica demands an API key, and the request has none.
  | "authentication_required"
  // 401: The API key is not valid, or not valid any more.
  | "invalid_key"
  // 403: The API key does not allow this.
  | "insufficient_scope"
  // 403: A browser sent the write for a page of another site.
  | "cross_origin"
  // 404: The path does not exist.
  | "not_found"
  // 404: The settings of the server switch events off.
  | "events_off"
  // 404: Nobody holds a lock on the resource.
  | "lock_not_found"
  // 404: The lock is held under another token.
  | "token_not_found"
  // 405: The path has other methods; `Allow` lists them.
  | "method_not_allowed"
  // 408: The body did not arrive in time.
  | "body_timeout"
  // 409: Somebody holds the lock.
  | "lock_held"
  // 409: There is room for the request, but other requests wait for the lock and come first.
  | "lock_reserved"
  // 409: Another limit is in force, or the request takes more permits than the limit that is in force.
  | "limit_mismatch"
  // 409: The request waited and was not granted the lock.
  | "wait_timeout"
  // 409: The request waited, and a later request with the same `replaces` has taken its place in the queue.
  | "replaced"
  // 409: An extend has a token that is not the current token.
  | "token_mismatch"
  // 409: An extend came while somebody breaks the lock: the lock stays with its holder for the grace that the break gave.
  | "lock_breaking"
  // 409: An extend would shorten the lease.
  | "timeout_shorter"
  // 409: A break named a grant that has ended.
  | "fence_changed"
  // 409: A break of a lock with several holders must name the fence of the holder that it ends.
  | "fence_required"
  // 409: The first request with this Idempotency-Key succeeded, and its lease has ended.
  | "lock_gone"
  // 413: The body has more than 16 KiB; for several locks more than 128 KiB, for a batch more than 1 MiB.
  | "body_too_large"
  // 415: The `Content-Type` of the body is missing or not JSON, or the body is compressed.
  | "unsupported_media_type"
  // 421: The replica does not serve the host that the request names.
  | "host_not_allowed"
  // 422: The Idempotency-Key came before with another request on this resource.
  | "idempotency_key_reused"
  // 429: `limits.max_waiters` requests already wait for the lock.
  | "queue_full"
  // 429: `limits.max_holders` clients already hold the lock.
  | "too_many_holders"
  // 429: The replica already tells 1,000 listeners what happens to locks.
  | "too_many_listeners"
  // 429: The API key has used up a quota, which `quota` names.
  | "quota_exceeded"
  // 500: Gorilla has a bug, or Redis refuses what it must not refuse.
  | "internal_error"
  // 503: There is no usable connection to Redis: Redis is away, or doesn't let Gorilla in.
  | "redis_unavailable"
  // 503: Redis refused the command before it executed anything: it is loading, read-only, out of memory …
  | "redis_refused"
  // 503: More requests come than this replica can serve.
  | "overloaded"
  // 503: Only acquires and conversions: Redis may have lost data, and new grants wait until the leases that may be lost have ended.
  | "recovering"
  // 503: Only acquire: too few replicas of Redis confirmed the grant, and Gorilla undid it.
  | "not_replicated"
  // 503: Only acquires, breaks and conversions: the replica must keep a record, and its audit file can't be written.
  | "audit_unavailable"
  // 503: Only `/_ready`, and a request that waited: this replica is about to end.
  | "draining"
  // 503: Only `/_ready`: Redis doesn't take writes, or may evict locks.
  | "not_ready"
  // 504: Gorilla sent the request to Redis and no reply came, or too few replicas of Redis confirmed it.
  | "outcome_unknown";
