//! The operations, with their methods, paths and rights: the table of routes.

use gorilla_domain::Verb;
use http::Method;

/// Where the locks are; each is below, by its name.
pub const LOCKS: &str = "/api/v1/locks";
/// Where batches go.
pub const BATCH: &str = "/api/v1/batch";

/// Where the limits of shared locks are; each is below, by the name of the lock.
pub const LIMITS: &str = "/api/v1/limits";

/// Where the elections are; each is below, by its name, which is that of its lock.
pub const ELECTIONS: &str = "/api/v1/elections";

/// Where events are told.
pub const EVENTS: &str = "/api/v1/events";

/// An operation of the interface. HEAD is there wherever GET is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The held locks, page by page.
    List,
    /// Take several locks, all or none.
    AcquireSet,
    /// Who holds a lock, for everybody.
    State,
    /// Take a lock.
    Acquire,
    /// Extend a lease, the token in a header.
    ExtendByHeader,
    /// Release a lock, the token in a header.
    ReleaseByHeader,
    /// A lock, for the holder of its token.
    Status,
    /// Extend a lease.
    Extend,
    /// Release a lock.
    Release,
    /// End a lock whose holder is gone.
    Break,
    /// The requests that wait for a lock.
    Queue,
    /// The limit of a shared lock.
    Limit,
    /// Pin the limit of a shared lock.
    PinLimit,
    /// Unpin the limit of a shared lock.
    UnpinLimit,
    /// Who leads an election, for everybody.
    Leader,
    /// Campaign for the leadership.
    Campaign,
    /// Keep the leadership.
    Keep,
    /// Give the leadership up.
    Resign,
    /// Many operations in one request.
    Batch,
    /// What happens to locks, as it happens.
    Events,
    /// What has happened to a lock.
    History,
    /// The process answers.
    Health,
    /// Clients and load balancers should send requests to this replica.
    Ready,
    /// The OpenAPI document.
    OpenApi,
    /// The page that shows the interface to people.
    Docs,
    /// A file that the page needs.
    DocsFile,
    /// What the replica counts and measures.
    Metrics,
}

/// What a caller must be allowed to do, so that a replica does an operation for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: everybody may have it done, also without an API key.
    Public,
    /// This, with the resource in the path.
    On(Verb),
    /// This, with some resource at least. The caller must be allowed to do it with each resource that the body names,
    /// and an answer tells only of such resources.
    OnSome(Verb),
    /// This, with all resources.
    Everywhere(Verb),
    /// What each item of the body needs, as if it had come alone.
    OfEachItem,
}

impl Right {
    /// Whether an operation with this right counts against the rate of the caller: acquires, looks, lists and events do. Whoever
    /// could not extend or release a lock would only hold it for longer.
    pub const fn is_rated(self) -> bool {
        matches!(self, Self::On(Verb::Acquire | Verb::Inspect | Verb::Events) | Self::OnSome(_))
    }
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 27] = [
        Self::List,
        Self::AcquireSet,
        Self::State,
        Self::Acquire,
        Self::ExtendByHeader,
        Self::ReleaseByHeader,
        Self::Status,
        Self::Extend,
        Self::Release,
        Self::Break,
        Self::Queue,
        Self::Limit,
        Self::PinLimit,
        Self::UnpinLimit,
        Self::Leader,
        Self::Campaign,
        Self::Keep,
        Self::Resign,
        Self::Batch,
        Self::Events,
        Self::History,
        Self::Health,
        Self::Ready,
        Self::OpenApi,
        Self::Docs,
        Self::DocsFile,
        Self::Metrics,
    ];

    /// What it does, whatever way the token comes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::AcquireSet => "acquire_set",
            Self::State => "state",
            Self::Acquire => "acquire",
            Self::ExtendByHeader | Self::Extend => "extend",
            Self::ReleaseByHeader | Self::Release => "release",
            Self::Status => "status",
            Self::Break => "break",
            Self::Queue => "queue",
            Self::Limit => "limit",
            Self::PinLimit => "pin_limit",
            Self::UnpinLimit => "unpin_limit",
            Self::Leader => "leader",
            Self::Campaign => "campaign",
            Self::Keep => "keep",
            Self::Resign => "resign",
            Self::Batch => "batch",
            Self::Events => "events",
            Self::History => "history",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::OpenApi => "openapi",
            Self::Docs => "docs",
            Self::DocsFile => "docs_file",
            Self::Metrics => "metrics",
        }
    }

    /// The path, with the names of its parameters in braces.
    pub const fn path(self) -> &'static str {
        match self {
            Self::List | Self::AcquireSet => LOCKS,
            Self::State | Self::Acquire | Self::ExtendByHeader | Self::ReleaseByHeader => "/api/v1/locks/{resource}",
            Self::Status | Self::Extend | Self::Release => "/api/v1/locks/{resource}/{token}",
            Self::Break => "/api/v1/locks/{resource}/break",
            Self::Queue => "/api/v1/locks/{resource}/queue",
            Self::Limit | Self::PinLimit | Self::UnpinLimit => "/api/v1/limits/{resource}",
            Self::Leader | Self::Campaign | Self::Keep | Self::Resign => "/api/v1/elections/{resource}",
            Self::Batch => BATCH,
            Self::Events => EVENTS,
            Self::History => "/api/v1/locks/{resource}/events",
            Self::Health => "/_health",
            Self::Ready => "/_ready",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::DocsFile => "/docs/{file}",
            Self::Metrics => "/metrics",
        }
    }

    /// What a caller must be allowed to do.
    pub const fn right(self) -> Right {
        match self {
            Self::List => Right::OnSome(Verb::List),
            Self::AcquireSet => Right::OnSome(Verb::Acquire),
            Self::State | Self::Status | Self::Queue | Self::Limit | Self::Leader => Right::On(Verb::Inspect),
            Self::Acquire | Self::Campaign => Right::On(Verb::Acquire),
            Self::ExtendByHeader | Self::Extend | Self::Keep => Right::On(Verb::Extend),
            Self::ReleaseByHeader | Self::Release | Self::Resign => Right::On(Verb::Release),
            Self::Break => Right::On(Verb::Break),
            Self::PinLimit | Self::UnpinLimit => Right::On(Verb::Limit),
            Self::Batch => Right::OfEachItem,
            Self::Events => Right::OnSome(Verb::Events),
            Self::History => Right::On(Verb::Events),
            Self::Metrics => Right::Everywhere(Verb::Metrics),
            Self::Health | Self::Ready | Self::OpenApi | Self::Docs | Self::DocsFile => Right::Public,
        }
    }

    /// The method.
    pub const fn method(self) -> Method {
        match self {
            Self::List | Self::State | Self::Status | Self::Queue | Self::Limit | Self::Leader => Method::GET,
            Self::Events | Self::History => Method::GET,
            Self::Health | Self::Ready | Self::OpenApi | Self::Docs | Self::DocsFile | Self::Metrics => Method::GET,
            Self::AcquireSet | Self::Acquire | Self::Break | Self::Campaign | Self::Batch => Method::POST,
            Self::ExtendByHeader | Self::Extend | Self::PinLimit | Self::Keep => Method::PUT,
            Self::ReleaseByHeader | Self::Release | Self::UnpinLimit | Self::Resign => Method::DELETE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_a_lock_is_below_that_of_the_locks() {
        for operation in Operation::ALL {
            let rest = operation.path().strip_prefix(LOCKS);
            assert_eq!(rest.is_some(), operation.path().contains("locks"), "{operation:?}");
            assert!(rest.is_none_or(|rest| rest.is_empty() || rest.starts_with("/{resource}")), "{operation:?}");
        }
    }
}
