//! Which refusals each operation may have.

use http::Method;

use crate::{
    Code::{self, *},
    ELECTIONS, EVENTS, LIMITS, LOCKS, Operation, Right,
};

impl Operation {
    /// The codes of its refusals, by their statuses.
    pub fn codes(self) -> Vec<Code> {
        let mut codes = vec![InvalidRequest, HostNotAllowed];
        if [LOCKS, LIMITS, ELECTIONS, EVENTS].iter().any(|path| self.path().starts_with(path)) {
            codes.extend([InternalError, RedisUnavailable, RedisRefused, Overloaded, OutcomeUnknown]);
        }
        if self.method() != Method::GET {
            codes.extend([CrossOrigin, BodyTimeout, BodyTooLarge, UnsupportedMediaType]);
            // What an item of a batch is refused stands in the answer of the batch.
            codes.extend((self != Operation::Batch).then_some(IdempotencyKeyReused));
        }
        codes.extend_from_slice(match self.right() {
            Right::Public => &[],
            // What an item needs is refused in the answer of the batch.
            Right::OfEachItem => &[AuthenticationRequired, InvalidKey],
            Right::On(_) | Right::OnSome(_) | Right::Everywhere(_) => {
                &[AuthenticationRequired, InvalidKey, InsufficientScope]
            }
        });
        if self.right().is_rated() {
            codes.push(QuotaExceeded);
        }
        // Without its last part a path is another path, and with `break` in place of the token it is the path of a break.
        if self.path().ends_with('}') {
            codes.push(NotFound);
        }
        if self.path().contains("{token}") {
            codes.push(MethodNotAllowed);
        }
        codes.extend_from_slice(match self {
            Operation::List | Operation::Health | Operation::Queue => &[],
            Operation::Events => &[TooManyListeners, EventsOff, Draining],
            Operation::History => &[],
            Operation::OpenApi | Operation::Docs | Operation::DocsFile => &[],
            Operation::Metrics => &[NotFound, InternalError],
            Operation::Limit | Operation::PinLimit | Operation::UnpinLimit | Operation::Leader => &[],
            Operation::State | Operation::Status => &[LockNotFound, TokenNotFound],
            Operation::Acquire | Operation::AcquireSet => &[
                LockHeld,
                LockReserved,
                LimitMismatch,
                WaitTimeout,
                Replaced,
                LockGone,
                QueueFull,
                TooManyHolders,
                Recovering,
                NotReplicated,
                AuditUnavailable,
                Draining,
            ],
            Operation::Campaign => &[
                LockHeld,
                LockReserved,
                WaitTimeout,
                LockGone,
                QueueFull,
                Recovering,
                NotReplicated,
                AuditUnavailable,
                Draining,
            ],
            Operation::Keep => &[
                TokenRequired,
                LockNotFound,
                TokenNotFound,
                TokenMismatch,
                LockBreaking,
                TimeoutShorter,
                LockGone,
                Recovering,
                AuditUnavailable,
            ],
            Operation::ExtendByHeader | Operation::Extend => &[
                TokenRequired,
                LockHeld,
                LockNotFound,
                LimitMismatch,
                TokenMismatch,
                LockBreaking,
                TimeoutShorter,
                LockGone,
                Recovering,
                AuditUnavailable,
            ],
            Operation::ReleaseByHeader | Operation::Release | Operation::Resign => {
                &[TokenRequired, LockNotFound, TokenNotFound]
            }
            Operation::Break => &[LockNotFound, FenceChanged, FenceRequired, AuditUnavailable],
            Operation::Batch => &[InternalError],
            Operation::Ready => &[Draining, NotReady],
        });
        codes.sort_unstable();
        codes
    }
}
