//! What can be wrong, and how it is said.

use std::fmt;

use super::mistold::MistoldTo;
use crate::moment::{Moment, at};

/// A promise of docs/internals/guarantees.md, with its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// Live grants of a resource are compatible.
    Exclusion,
    /// A grant stands until its lease ends or somebody ends it.
    Standing,
    /// Fences are unique, and rise with real time.
    Fencing,
    /// A floor is above the fences of all exclusive grants before the group, and the same for a whole group.
    Floors,
    /// A token that was released, superseded, or passed over never acts.
    StaleTokens,
    /// A register that compares fences loses no update.
    FencedRegister,
    /// A client that vanishes leaves no lock.
    NoOrphans,
    /// Waiters are served in the order of arrival.
    Order,
    /// Who could have the lock and is first doesn't wait.
    Conservation,
    /// One limit is in force.
    Limits,
    /// A request that is sent again acts once.
    SafeRetry,
    /// A set is granted whole or not at all, and sets never wait in a circle.
    Sets,
    /// An item of a batch is the single call.
    Batches,
    /// Who looks at an election sees terms that rise, and nobody but the leader.
    Leaders,
    /// The stream of events tells what happened, once and in order, or says that events are missing.
    Events,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Exclusion,
        Self::Standing,
        Self::Fencing,
        Self::Floors,
        Self::StaleTokens,
        Self::FencedRegister,
        Self::NoOrphans,
        Self::Order,
        Self::Conservation,
        Self::Limits,
        Self::SafeRetry,
        Self::Sets,
        Self::Batches,
        Self::Leaders,
        Self::Events,
    ];
}

/// A broken promise, with what shows it. Fences stand for grants, nanoseconds for moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The second was answered while the first was held.
    TwoHolders {
        /// Of which resource.
        resource: String,
        /// The grant that was held, and until when.
        first: (u64, Moment),
        /// The grant that was answered too, and when.
        second: (u64, Moment),
    },
    /// The holders of a shared lock had more permits together than its limit.
    TooManyPermits {
        /// Of which resource.
        resource: String,
        /// The grant that was made last, and when all of them were believed in.
        latest: (u64, Moment),
        /// How many permits they had.
        permits: u64,
        /// How many the grant that was made last says there are.
        limit: u64,
    },
    /// An exclusive grant came between a grant and what it was converted to.
    GrantedBetween {
        /// Of which resource.
        resource: String,
        /// The grant that was converted.
        from: u64,
        /// The grant that it became.
        to: u64,
        /// The grant between them.
        between: u64,
    },
    /// The token of a grant was refused though nobody had ended the grant.
    EndedEarly {
        /// Of which resource.
        resource: String,
        /// The grant.
        fence: u64,
        /// Until when its lease surely lasted.
        until: Moment,
        /// When its token was used and refused.
        refused: Moment,
    },
    /// A floor is not above the fence of an exclusive grant before, or it is above its own fence.
    FloorOff {
        /// Of which resource.
        resource: String,
        /// The grant and its floor.
        grant: (u64, u64),
        /// The largest fence of an exclusive grant before it.
        before: u64,
    },
    /// Two clients held a shared lock together, and were told different floors.
    FloorsDiffer {
        /// Of which resource.
        resource: String,
        /// A grant and its floor.
        first: (u64, u64),
        /// The other grant and its floor.
        second: (u64, u64),
    },
    /// A register that compares fences refused a client that held the lock.
    HolderRefused {
        /// Of which resource.
        resource: String,
        /// Its fence.
        fence: u64,
        /// When.
        at: Moment,
    },
    /// A register that compares fences showed two values to one holder, who wrote nothing.
    TornRead {
        /// Of which resource.
        resource: String,
        /// The grant.
        fence: u64,
        /// The two values.
        values: (u64, u64),
    },
    /// Two limits were in force.
    OtherLimit {
        /// Of which resource.
        resource: String,
        /// The grant that was told the second limit.
        fence: u64,
        /// The limit that was pinned, or that another holder had been told; and the second.
        limits: (Option<u64>, Option<u64>),
    },
    /// The token of one grant acted on another.
    OtherGrant {
        /// Of which resource.
        resource: String,
        /// The fence that came with the token, and that of the grant that it acted on.
        fences: (u64, u64),
    },
    /// Redis counts other permits than there are.
    Miscounted {
        /// Of which resource.
        resource: String,
        /// When.
        at: Moment,
        /// The permits of holders: as Redis counts them, and as they are.
        held: (u64, u64),
        /// The permits that are reserved for waiters that were called, likewise.
        called: (u64, u64),
    },
    /// A key would stay for ever.
    Lasting {
        /// The key.
        key: String,
    },
    /// The first request of a queue waited though it could have the lock, and had no turn.
    Idle {
        /// Of which resource.
        resource: String,
        /// Whose request.
        owner: String,
        /// Since when.
        from: Moment,
        /// Until when.
        until: Moment,
    },
    /// The first grant was answered before the second was asked for, and its fence is not smaller.
    FenceNotRising {
        /// Of which resource.
        resource: String,
        /// The earlier grant, and when it was answered.
        first: (u64, Moment),
        /// The later grant, and when it was asked for.
        second: (u64, Moment),
    },
    /// Two grants of a resource share a fence.
    FenceTwice {
        /// Of which resource.
        resource: String,
        /// The fence.
        fence: u64,
    },
    /// A token that was given before was given again.
    TokenTwice {
        /// Of which resource.
        resource: String,
        /// The grant that has it now.
        fence: u64,
    },
    /// A dead token acted.
    StaleToken {
        /// Of which resource.
        resource: String,
        /// The grant that it came from.
        fence: u64,
        /// Since when it was dead, and why.
        dead: (Moment, &'static str),
        /// When it was used once more, and acted.
        used: Moment,
    },
    /// One Idempotency-Key was answered by two grants or two tokens.
    ActedTwice {
        /// Of which resource.
        resource: String,
        /// What was asked.
        what: &'static str,
        /// The key.
        key: String,
        /// The two answers.
        answers: (u64, u64),
    },
    /// A register that compares fences took two writes that began from the same value.
    LostUpdate {
        /// Of which resource.
        resource: String,
        /// The value that was written twice.
        value: u64,
        /// Under which fences.
        fences: (u64, u64),
    },
    /// A lock that nobody had been told of stood for longer than it may.
    Orphan {
        /// Of which resource.
        resource: String,
        /// Its fence.
        fence: u64,
        /// For how long it was seen.
        seen: Moment,
    },
    /// A lock, or places in a queue, were there long after everybody had gone.
    LeftBehind {
        /// Of which resource.
        resource: String,
        /// The fence of the lock, if there was one.
        fence: Option<u64>,
        /// How many places there were.
        waiting: u64,
    },
    /// The second request came later and was granted first, and neither saw a fault.
    OutOfTurn {
        /// Of which resource.
        resource: String,
        /// The earlier request: its owner, its fence, and its arrival in microseconds by Redis's clock.
        first: (String, u64, u64),
        /// The same of the later request.
        second: (String, u64, u64),
    },
    /// The grant of a set has other locks than the set asked for.
    SetNotWhole {
        /// Whose set.
        owner: String,
        /// What it asked for.
        asked: Vec<String>,
        /// What the answer has.
        told: Vec<String>,
    },
    /// The grant of a set says that all its locks are held for longer than one of them is.
    SetTooLong {
        /// Whose set.
        owner: String,
        /// How long, as it says.
        told: Moment,
        /// The lease of its lock that ends first.
        least: Moment,
    },
    /// A look at an election told a term though a later term had been told before.
    TermsBack {
        /// Of which election.
        resource: String,
        /// The term that was told.
        term: u64,
        /// The later term.
        later: u64,
        /// When the look began.
        at: Moment,
    },
    /// A look at an election told another leader than the one that surely led, or none.
    OtherLeader {
        /// Of which election.
        resource: String,
        /// The term of the one that led.
        leader: u64,
        /// The term that was told.
        told: Option<u64>,
        /// When the look began.
        at: Moment,
    },
    /// A set was not answered though its wait was over, and nothing had failed.
    SetUnanswered {
        /// Whose set.
        owner: String,
        /// When it was sent.
        asked: Moment,
        /// How long it was to wait.
        wait: Moment,
        /// When it was answered, or its client gave up.
        over: Moment,
    },
    /// When a set was answered, another had been granted one of its locks after it.
    PartLost {
        /// Of which resource.
        resource: String,
        /// Whose set.
        owner: String,
        /// The grant of the set, and the later grant.
        fences: (u64, u64),
        /// When the set was answered.
        answered: Moment,
    },
    /// A set was granted though one of its locks had been broken before the leases of the set began.
    PartBroken {
        /// Of which resource.
        resource: String,
        /// Whose set.
        owner: String,
        /// The grant that was broken.
        fence: u64,
        /// When that was done.
        done: Moment,
        /// When the set was answered.
        answered: Moment,
    },
    /// A lock of a set that its client does not have stood for longer than it may.
    PartLeft {
        /// Of which resource.
        resource: String,
        /// Whose set.
        owner: String,
        /// The grant.
        fence: u64,
        /// Until when it may have stood.
        since: Moment,
        /// When it was seen last.
        until: Moment,
        /// Whether the set had been refused then.
        is_refused: bool,
    },
    /// A set waited for a lock while it held one that comes after that lock.
    WaitsBack {
        /// Whose set.
        owner: String,
        /// What it held.
        holds: String,
        /// What it waited for.
        waits: String,
        /// When.
        at: Moment,
    },
    /// The answer to a batch does not have the results of its items in order, or counts them wrongly.
    BatchMistold {
        /// When it was sent.
        asked: Moment,
        /// How many items it had.
        items: u64,
        /// Of which items the answer tells.
        results: Vec<u64>,
        /// How many succeeded, failed, and have no known outcome, as the answer says.
        counts: [u64; 3],
    },
    /// A result of a batch can't be that of its item.
    OtherItem {
        /// Of which resource.
        resource: String,
        /// Which item.
        index: u64,
        /// When the batch was sent.
        asked: Moment,
        /// What the result says.
        told: String,
    },
    /// Two items of a batch had one token, and the later one acted though the earlier one had ended the token.
    OutOfOrder {
        /// Of which resource.
        resource: String,
        /// The grant.
        fence: u64,
        /// The later item.
        index: u64,
        /// When the batch was sent.
        asked: Moment,
    },
    /// A listener was told something wrong.
    Mistold(MistoldTo),
    /// An item of a batch was answered as a release, and the grant stood on.
    ItemUndone {
        /// Of which resource.
        resource: String,
        /// The grant.
        fence: u64,
        /// When the batch was answered.
        answered: Moment,
        /// When the grant was seen last.
        until: Moment,
    },
}

impl Violation {
    /// Which promise it breaks.
    pub fn property(&self) -> Property {
        match self {
            Self::TwoHolders { .. } | Self::TooManyPermits { .. } | Self::GrantedBetween { .. } => Property::Exclusion,
            Self::EndedEarly { .. } => Property::Standing,
            Self::FloorOff { .. } | Self::FloorsDiffer { .. } | Self::HolderRefused { .. } | Self::TornRead { .. } => {
                Property::Floors
            }
            Self::OtherLimit { .. } => Property::Limits,
            Self::Idle { .. } => Property::Conservation,
            Self::FenceNotRising { .. } | Self::FenceTwice { .. } => Property::Fencing,
            Self::TokenTwice { .. } | Self::StaleToken { .. } | Self::OtherGrant { .. } => Property::StaleTokens,
            Self::ActedTwice { .. } => Property::SafeRetry,
            Self::LostUpdate { .. } => Property::FencedRegister,
            Self::Orphan { .. } | Self::LeftBehind { .. } | Self::Miscounted { .. } | Self::Lasting { .. } => {
                Property::NoOrphans
            }
            Self::OutOfTurn { .. } => Property::Order,
            Self::TermsBack { .. } | Self::OtherLeader { .. } => Property::Leaders,
            Self::Mistold(_) => Property::Events,
            Self::SetNotWhole { .. }
            | Self::SetTooLong { .. }
            | Self::SetUnanswered { .. }
            | Self::PartLost { .. }
            | Self::PartBroken { .. }
            | Self::PartLeft { .. }
            | Self::WaitsBack { .. } => Property::Sets,
            Self::BatchMistold { .. } | Self::OtherItem { .. } | Self::OutOfOrder { .. } | Self::ItemUndone { .. } => {
                Property::Batches
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::TwoHolders { resource, first, second } => write!(
                f,
                "two holders of {resource}: the grant with fence {} was held until {}, and the one with fence {} was answered at {}",
                first.0,
                at(first.1),
                second.0,
                at(second.1)
            ),
            Self::TooManyPermits { resource, latest, permits, limit } => write!(
                f,
                "the holders of {resource} had {permits} permits together at {}, and the grant with fence {} says that there are {limit}",
                at(latest.1),
                latest.0
            ),
            Self::TermsBack { resource, term, later, at: began } => write!(
                f,
                "{resource}: a look that began at {} told the term {term}, though {later} had been told before",
                at(*began)
            ),
            Self::OtherLeader { resource, leader, told, at: began } => write!(
                f,
                "{resource}: {leader} led, and a look that began at {} told {}",
                at(*began),
                told.map_or_else(|| "nobody".into(), |told| told.to_string())
            ),
            Self::GrantedBetween { resource, from, to, between } => write!(
                f,
                "a conversion of {resource} let another in: fence {from} became {to}, and between them {between} had the lock alone"
            ),
            Self::EndedEarly { resource, fence, until, refused } => write!(
                f,
                "a grant of {resource} ended early: the one with fence {fence} was held until {}, and its token was refused when it was used at {}",
                at(*until),
                at(*refused)
            ),
            Self::FloorOff { resource, grant, before } => write!(
                f,
                "a floor of {resource} is off: the grant with fence {} has floor {}, and {before} had the lock alone before",
                grant.0, grant.1
            ),
            Self::FloorsDiffer { resource, first, second } => write!(
                f,
                "two holders of {resource} have different floors: {} of fence {}, and {} of fence {}",
                first.1, first.0, second.1, second.0
            ),
            Self::HolderRefused { resource, fence, at: when } => {
                write!(f, "what {resource} protects refused fence {fence} at {}, whose client held the lock", at(*when))
            }
            Self::TornRead { resource, fence, values } => write!(
                f,
                "what {resource} protects changed under its holder with fence {fence}: it read {} and then {}",
                values.0, values.1
            ),
            Self::OtherLimit { resource, fence, limits } => write!(
                f,
                "two limits of {resource}: {:?} was in force, and the grant with fence {fence} was told {:?}",
                limits.0, limits.1
            ),
            Self::OtherGrant { resource, fences } => write!(
                f,
                "a token of {resource} acted on another grant: it came with fence {}, and acted on {}",
                fences.0, fences.1
            ),
            Self::Miscounted { resource, at: when, held, called } => write!(
                f,
                "Redis miscounts the permits of {resource} at {}: {} of {} that are held, {} of {} that are reserved",
                at(*when),
                held.0,
                held.1,
                called.0,
                called.1
            ),
            Self::Lasting { key } => write!(f, "left behind: the key {key} never expires"),
            Self::Idle { resource, owner, from, until } => write!(
                f,
                "{resource} was idle: {owner} was the first to wait and could have had the lock, without a turn, from {} to {}",
                at(*from),
                at(*until)
            ),
            Self::FenceNotRising { resource, first, second } => write!(
                f,
                "a fence of {resource} did not rise: {} was answered at {}, and the grant asked for at {} got {}",
                first.0,
                at(first.1),
                at(second.1),
                second.0
            ),
            Self::FenceTwice { resource, fence } => write!(f, "two grants of {resource} have the fence {fence}"),
            Self::TokenTwice { resource, fence } => {
                write!(f, "the grant of {resource} with fence {fence} has a token that was given before")
            }
            Self::StaleToken { resource, fence, dead, used } => write!(
                f,
                "a stale token of {resource} acted: it came with fence {fence}, was {} at {}, and acted when it was used at {}",
                dead.1,
                at(dead.0),
                at(*used)
            ),
            Self::ActedTwice { resource, what, key, answers } => write!(
                f,
                "{what} of {resource} with the Idempotency-Key {key} acted twice: it was answered with {} and with {}",
                answers.0, answers.1
            ),
            Self::LostUpdate { resource, value, fences } => write!(
                f,
                "an update of what {resource} protects was lost: {value} was written under fence {} and again under fence {}",
                fences.0, fences.1
            ),
            Self::Orphan { resource, fence, seen } => write!(
                f,
                "an orphan of {resource}: the grant with fence {fence} was answered to nobody, and was seen to stand for {}",
                at(*seen)
            ),
            Self::LeftBehind { resource, fence: Some(fence), .. } => {
                write!(f, "left behind: a lock of {resource} with fence {fence}, longer than any lease")
            }
            Self::LeftBehind { resource, fence: None, waiting } => {
                write!(f, "left behind: {waiting} places in the queue of {resource}")
            }
            Self::OutOfTurn { resource, first, second } => write!(
                f,
                "out of turn for {resource}: {} arrived at {} µs and got fence {}, {} arrived at {} µs and got fence {}",
                first.0, first.2, first.1, second.0, second.2, second.1
            ),
            Self::SetNotWhole { owner, asked, told } => {
                write!(f, "the set of {owner} is not whole: it asked for {asked:?} and was granted {told:?}")
            }
            Self::SetTooLong { owner, told, least } => write!(
                f,
                "the set of {owner} is said to be held for {}, and one of its locks is held for {}",
                at(*told),
                at(*least)
            ),
            Self::SetUnanswered { owner, asked, wait, over } => write!(
                f,
                "the set of {owner} found no end: asked for at {} with a wait of {}, it was over at {}",
                at(*asked),
                at(*wait),
                at(*over)
            ),
            Self::PartLost { resource, owner, fences, answered } => write!(
                f,
                "the set of {owner} was answered at {} without {resource}: it had fence {}, and {} was granted after it",
                at(*answered),
                fences.0,
                fences.1
            ),
            Self::PartBroken { resource, owner, fence, done, answered } => write!(
                f,
                "the set of {owner} was answered at {} with {resource}, whose fence {fence} had been broken at {}",
                at(*answered),
                at(*done)
            ),
            Self::PartLeft { resource, owner, fence, since, until, is_refused } => write!(
                f,
                "a part of the set of {owner} stayed: {resource} with fence {fence} was seen at {}, {} {}",
                at(*until),
                if *is_refused { "and the set was refused at" } else { "and nobody was told of it; it had until" },
                at(*since)
            ),
            Self::WaitsBack { owner, holds, waits, at: when } => write!(
                f,
                "the set of {owner} waited out of order: it held {holds} and waited for {waits} at {}",
                at(*when)
            ),
            Self::BatchMistold { asked, items, results, counts } => write!(
                f,
                "the batch of {} with {items} items was answered with results of {results:?} and the counts {counts:?}",
                at(*asked)
            ),
            Self::OtherItem { resource, index, asked, told } => write!(
                f,
                "item {index} of the batch of {}, with {resource}, was answered what it did not ask for: {told}",
                at(*asked)
            ),
            Self::OutOfOrder { resource, fence, index, asked } => write!(
                f,
                "item {index} of the batch of {} acted out of order: the token of {resource} with fence {fence} was dead by an earlier item",
                at(*asked)
            ),
            Self::Mistold(told) => told.fmt(f),
            Self::ItemUndone { resource, fence, answered, until } => write!(
                f,
                "a batch that was answered at {} says that fence {fence} of {resource} was released, and the grant stood at {}",
                at(*answered),
                at(*until)
            ),
        }
    }
}
