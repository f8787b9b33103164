//! The stable codes of answers that are not a success.

use std::str::FromStr;

use http::StatusCode;
use serde::{Serialize, Serializer};

/// Makes the codes from one table: the variant, the code, the status, and what the code means.
macro_rules! codes {
    ($($variant:ident $code:literal $status:ident $meaning:literal)*) => {
        /// Why a request has no success. A code stays what it is; there may be more of them in later versions.
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
    TokenRequired "token_required" BAD_REQUEST "PUT or DELETE without a token."
    CrossOrigin "cross_origin" FORBIDDEN "A browser sent the write for a page of another site."
    NotFound "not_found" NOT_FOUND "There is no such path."
    LockNotFound "lock_not_found" NOT_FOUND "Nobody holds a lock on the resource."
    TokenNotFound "token_not_found" NOT_FOUND "The lock is held under another token."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The path has other methods."
    BodyTimeout "body_timeout" REQUEST_TIMEOUT "The body did not arrive in time."
    LockHeld "lock_held" CONFLICT "Another grant stands."
    LockReserved "lock_reserved" CONFLICT "Nobody holds the lock, but requests that came before wait for it."
    WaitTimeout "wait_timeout" CONFLICT "The request waited, and was not granted the lock."
    TokenMismatch "token_mismatch" CONFLICT "An extend has a token that is not the current one."
    TimeoutShorter "timeout_shorter" CONFLICT "An extend would shorten the lease."
    FenceChanged "fence_changed" CONFLICT "A break named a grant that has ended."
    LockGone "lock_gone" CONFLICT
        "The first request with this Idempotency-Key succeeded, and its lease has ended since."
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body has more than 16 KiB."
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE
        "The body is not said to be JSON, or is compressed."
    HostNotAllowed "host_not_allowed" MISDIRECTED_REQUEST
        "This replica does not serve the host that the request is for."
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY
        "The Idempotency-Key came before with another request on this resource."
    QueueFull "queue_full" TOO_MANY_REQUESTS "As many requests wait for the lock as may."
    InternalError "internal_error" INTERNAL_SERVER_ERROR "Gorilla has a bug, or Redis refuses what it must not."
    RedisUnavailable "redis_unavailable" SERVICE_UNAVAILABLE "There is no usable connection to Redis."
    RedisRefused "redis_refused" SERVICE_UNAVAILABLE "Redis refused the command before it ran anything."
    Overloaded "overloaded" SERVICE_UNAVAILABLE "As many commands wait for Redis as may."
    Recovering "recovering" SERVICE_UNAVAILABLE
        "Redis may have lost data, and somebody may hold the lock; nobody is granted it for a while."
    NotReplicated "not_replicated" SERVICE_UNAVAILABLE
        "Too few replicas of Redis confirmed the grant, and it was undone."
    Draining "draining" SERVICE_UNAVAILABLE
        "This replica is about to end: said by /_ready, and to a request that waited."
    NotReady "not_ready" SERVICE_UNAVAILABLE "Only /_ready: Redis doesn't take writes, or may evict locks."
    OutcomeUnknown "outcome_unknown" GATEWAY_TIMEOUT
        "The request was sent to Redis, and no reply came, or too few replicas of Redis confirmed it."
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
    fn a_code_is_read_as_it_is_written_and_another_text_is_none() {
        for &code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        for other in ["", "lock_held ", "LOCK_HELD", "of_a_later_version"] {
            assert_eq!(other.parse::<Code>(), Err(()), "{other}");
        }
    }
}
