//! The stable codes of answers that are not a success. The table in docs/reference/errors.md has them too; a test
//! compares it with this one.

use std::str::FromStr;

use http::StatusCode;
use serde::{Serialize, Serializer};

/// Makes the codes from one table: the variant, the code, the status, and what the code means.
macro_rules! codes {
    ($($variant:ident $code:literal $status:ident $meaning:literal)*) => {
        /// Why a request did not succeed. A code keeps its meaning; later versions may have more codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// All codes, by their statuses.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it is on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The status of the answers that have it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it means, as a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" BAD_REQUEST "A field, parameter, header or the body breaks its rule."
    TokenRequired "token_required" BAD_REQUEST "A PUT or DELETE has no token."
    AuthenticationRequired "authentication_required" UNAUTHORIZED
        "The replica demands an API key, and the request has none."
    InvalidKey "invalid_key" UNAUTHORIZED "The API key is not valid, or not valid any more."
    InsufficientScope "insufficient_scope" FORBIDDEN "The API key does not allow this."
    CrossOrigin "cross_origin" FORBIDDEN "A browser sent the write for a page of another site."
    NotFound "not_found" NOT_FOUND "The path does not exist."
    EventsOff "events_off" NOT_FOUND "The settings of the server switch events off."
    LockNotFound "lock_not_found" NOT_FOUND "Nobody holds a lock on the resource."
    TokenNotFound "token_not_found" NOT_FOUND "The lock is held under another token."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The path has other methods; `Allow` lists them."
    BodyTimeout "body_timeout" REQUEST_TIMEOUT "The body did not arrive in time."
    LockHeld "lock_held" CONFLICT "Somebody holds the lock."
    LockReserved "lock_reserved" CONFLICT "Nobody holds the lock, but other requests wait for it and come first."
    LimitMismatch "limit_mismatch" CONFLICT
        "Another limit is in force, or the request takes more permits than the limit that is in force."
    WaitTimeout "wait_timeout" CONFLICT "The request waited and was not granted the lock."
    Replaced "replaced" CONFLICT
        "The request waited, and a later request with the same `replaces` has taken its place in the queue."
    TokenMismatch "token_mismatch" CONFLICT "An extend has a token that is not the current token."
    LockBreaking "lock_breaking" CONFLICT
        "An extend came while somebody breaks the lock: the lock stays with its holder for the grace that the break gave."
    TimeoutShorter "timeout_shorter" CONFLICT "An extend would shorten the lease."
    FenceChanged "fence_changed" CONFLICT "A break named a grant that has ended."
    FenceRequired "fence_required" CONFLICT
        "A break of a lock with several holders must name the fence of the holder that it ends."
    LockGone "lock_gone" CONFLICT "The first request with this Idempotency-Key succeeded, and its lease has ended."
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE
        "The body has more than 16 KiB; for several locks more than 128 KiB, for a batch more than 1 MiB."
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE
        "The `Content-Type` of the body is missing or not JSON, or the body is compressed."
    HostNotAllowed "host_not_allowed" MISDIRECTED_REQUEST "The replica does not serve the host that the request names."
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY
        "The Idempotency-Key came before with another request on this resource."
    QueueFull "queue_full" TOO_MANY_REQUESTS "`limits.max_waiters` requests already wait for the lock."
    TooManyHolders "too_many_holders" TOO_MANY_REQUESTS "`limits.max_holders` clients already hold the lock."
    TooManyListeners "too_many_listeners" TOO_MANY_REQUESTS
        "The replica already tells 1,000 listeners what happens to locks."
    QuotaExceeded "quota_exceeded" TOO_MANY_REQUESTS "The API key has used up a quota, which `quota` names."
    InternalError "internal_error" INTERNAL_SERVER_ERROR "Gorilla has a bug, or Redis refuses what it must not refuse."
    RedisUnavailable "redis_unavailable" SERVICE_UNAVAILABLE
        "There is no usable connection to Redis: Redis is away, or doesn't let Gorilla in."
    RedisRefused "redis_refused" SERVICE_UNAVAILABLE
        "Redis refused the command before it executed anything: it is loading, read-only, out of memory …"
    Overloaded "overloaded" SERVICE_UNAVAILABLE "More requests come than this replica can serve."
    Recovering "recovering" SERVICE_UNAVAILABLE
        "Only acquires and conversions: Redis may have lost data, and new grants wait until the leases that may be lost have ended."
    NotReplicated "not_replicated" SERVICE_UNAVAILABLE
        "Only acquire: too few replicas of Redis confirmed the grant, and Gorilla undid it."
    AuditUnavailable "audit_unavailable" SERVICE_UNAVAILABLE
        "Only acquires, breaks and conversions: the replica must keep a record, and its audit file can't be written."
    Draining "draining" SERVICE_UNAVAILABLE "Only `/_ready`, and a request that waited: this replica is about to end."
    NotReady "not_ready" SERVICE_UNAVAILABLE "Only `/_ready`: Redis doesn't take writes, or may evict locks."
    OutcomeUnknown "outcome_unknown" GATEWAY_TIMEOUT
        "Gorilla sent the request to Redis and no reply came, or too few replicas of Redis confirmed it."
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = ();

    /// Fails for a code that this version does not have.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|code| code.as_str() == text).copied().ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written_and_no_other_text_is_a_code() {
        for &code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        for other in ["", "lock_held ", "LOCK_HELD", "of_a_later_version"] {
            assert_eq!(other.parse::<Code>(), Err(()), "{other}");
        }
    }
}
