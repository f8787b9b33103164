//! Mistakes that could be in the protocol, to see that the search finds each of them.

/// One line of the protocol, replaced by a wrong line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A release frees the lock whatever its token is.
    ReleaseComparesNoToken,
    /// An extend takes every token that the tenure ever had.
    ExtendComparesTenureOnly,
    /// An acquire doesn't look whether the lock is held.
    AcquireIgnoresHolder,
    /// A fence is the last fence plus one, without the clock.
    FenceCounts,
    /// An acquire whose outcome is unknown is left alone.
    NothingIsCancelled,
    /// A cancellation frees the lock and leaves no mark.
    CancelLeavesNoMark,
    /// A cancellation frees the lock though a copy of the request was answered with the grant.
    CancelIgnoresCopies,
    /// Any client gets a free lock, though others wait for it.
    QueueLetsIn,
    /// An acquire doesn't look whether its request was granted before.
    ReplayGrantsAgain,
    /// A waiter that is refused in the end is not cancelled, though a call of it may still be under way.
    WaiterForgetsDoubt,
    /// A client counts its lease from when the answer came.
    ClientCountsFromAnswer,
    /// Holders whose leases have ended are taken out of a group, and their permits stay in use.
    PruneForgetsUsed,
    /// Who fits joins a group, though others wait.
    JoinIgnoresQueue,
    /// A waiter that leaves the queue of a group calls nobody.
    LeaveCallsNobody,
    /// Any secret acts for the holder of a shared lock that a token names.
    AnySecretActs,
    /// The floor of a shared grant is its own fence.
    FloorIsFence,
    /// A holder of a shared lock that wants it alone doesn't look at the other holders.
    ConvertIgnoresOthers,
    /// A set takes its locks in the order of its request.
    SetsInRequestOrder,
    /// A set is committed though a part of it is gone.
    CommitIgnoresLoss,
    /// A set that is refused keeps the parts that it has.
    RefusedSetKeepsParts,
}

impl Mistake {
    /// What is wrong.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReleaseComparesNoToken => "release compares no token",
            Self::ExtendComparesTenureOnly => "extend takes superseded tokens",
            Self::AcquireIgnoresHolder => "acquire ignores the holder",
            Self::FenceCounts => "fences only count",
            Self::NothingIsCancelled => "nothing is cancelled",
            Self::CancelLeavesNoMark => "cancel leaves no mark",
            Self::CancelIgnoresCopies => "cancel ignores copies",
            Self::QueueLetsIn => "the queue lets others in",
            Self::ReplayGrantsAgain => "a replay grants again",
            Self::WaiterForgetsDoubt => "a waiter forgets its doubt",
            Self::ClientCountsFromAnswer => "a client counts from the answer",
            Self::PruneForgetsUsed => "permits of ended leases stay in use",
            Self::JoinIgnoresQueue => "a join ignores the queue",
            Self::LeaveCallsNobody => "a waiter that leaves calls nobody",
            Self::AnySecretActs => "any secret acts for a holder",
            Self::FloorIsFence => "the floor is the fence",
            Self::ConvertIgnoresOthers => "a conversion ignores other holders",
            Self::SetsInRequestOrder => "a set takes its locks in the order of its request",
            Self::CommitIgnoresLoss => "a set is committed though a part is gone",
            Self::RefusedSetKeepsParts => "a set that is refused keeps its parts",
        }
    }
}
