//! The searches: with which bounds, and what each is expected to find.

use crate::{
    Bounds, Mistake, Protocol, Search, Searched,
    bounds::{Ack, CALM, Loss},
    properties::{
        CANCELLED, COMPATIBLE, COUNTED, EXCLUSION, FENCES, FLOOR, ONCE, ORDER, ORPHANS, OWN_TENURE, STALE, WORK,
    },
    redis::Share,
    scripts::Grace,
    sets::{
        Sets,
        properties::{NO_CIRCLE, NONE_KEPT, TOGETHER},
    },
};

/// Holders that extend, release, come late and do so once more.
const HOLDERS: Bounds = Bounds { extends: 2, repeats: 1, slow_answers: true, horizon: 4, ..CALM };
/// Acquires without a key whose outcome is unknown.
const UNKNOWN: Bounds = Bounds { unknowns: 2, repeats: 1, attempts: 2, ..CALM };
/// The same with a key, so that copies are answered.
const COPIES: Bounds = Bounds { keyed: true, unknowns: 2, attempts: 3, ..CALM };
/// A replica of Gorilla is killed.
const KILLED: Bounds = Bounds { keyed: true, replicas: 2, unknowns: 1, crashes: 1, attempts: 2, ..CALM };
/// Three clients want the lock; one hangs up and one gives up.
const WAITERS: Bounds = Bounds { clients: 3, waits: true, give_ups: 1, unknowns: 1, lease: 1, ..CALM };
/// Waiters with a key; one of their replicas is killed and one loses its connection.
const WAITERS_KILLED: Bounds =
    Bounds { waits: true, replicas: 2, crashes: 1, cuts: 1, keyed: true, attempts: 2, ..CALM };
/// Waiters whose connection breaks.
const WAITERS_CUT: Bounds = Bounds { waits: true, cuts: 2, give_ups: 1, ..CALM };
/// A reader.
const READS: Option<Share> = Some(Share { permits: 1, limit: None });
/// Two readers and a writer, which hangs up or gives up.
const READERS: Bounds =
    Bounds { clients: 3, modes: &[READS, READS, None], waits: true, give_ups: 1, unknowns: 1, lease: 1, ..CALM };
/// The same, and a replica is killed.
const READERS_KILLED: Bounds = Bounds { replicas: 2, crashes: 1, give_ups: 0, unknowns: 0, horizon: 2, ..READERS };
/// Requests for one, two and two of three.
const PERMITS: Bounds = Bounds {
    modes: &[
        Some(Share { permits: 1, limit: Some(3) }),
        Some(Share { permits: 2, limit: Some(3) }),
        Some(Share { permits: 2, limit: Some(3) }),
    ],
    unknowns: 0,
    lease: 2,
    ..READERS
};
/// Holders of either mode that extend and convert.
const CONVERSIONS: Bounds =
    Bounds { modes: &[READS, None], extends: 1, converts: true, repeats: 1, slow_answers: true, ..CALM };
/// The same with two readers and a writer that wait.
const CONVERSIONS_WAITED_FOR: Bounds =
    Bounds { clients: 3, modes: &[READS, READS, None], converts: true, waits: true, horizon: 2, lease: 1, ..CALM };
/// A failover after which the old master is dead.
const FAILOVER: Bounds =
    Bounds { loss: Loss::OldMasterDies, keyed: true, unknowns: 1, attempts: 2, horizon: 4, ..CALM };
/// The same, and holders extend.
const FAILOVER_EXTENDS: Bounds = Bounds { loss: Loss::OldMasterDies, extends: 2, horizon: 4, ..CALM };
/// A failover after which the old master goes on.
const SPLIT: Bounds = Bounds { loss: Loss::SplitBrain, replicas: 2, extends: 1, horizon: 4, ..CALM };
/// The same in a shorter time.
const SPLIT_SHORT: Bounds = Bounds { horizon: 3, ..SPLIT };
/// The same, and a request may come again at the other side.
const SPLIT_COPIES: Bounds = Bounds {
    keyed: true,
    unknowns: 1,
    attempts: 2,
    extends: 0,
    lease: 1,
    horizon: 2,
    releases: false,
    retries_refusals: false,
    ..SPLIT
};
/// A master that forgets.
const EMPTY: Bounds = Bounds { loss: Loss::RestartsEmpty, ..FAILOVER };

/// Long enough for every lease.
const GRACE: Option<Grace> = Some(Grace { length: CALM.lease, for_replays: true });
/// The same for leases of one tick.
const SHORT_GRACE: Option<Grace> = Some(Grace { length: 1, for_replays: true });
/// The same, but a copy is answered with a grant from before all the same.
const GRACE_BUT_REPLAYS: Option<Grace> = Some(Grace { length: CALM.lease, for_replays: false });

/// Two sets of the same two locks, asked for in opposite order; one wait ends early.
const OPPOSITE: Sets = Sets {
    wants: &[&[0, 1], &[1, 0]],
    rounds: 2,
    horizon: 5,
    hold: 2,
    lease: 2,
    unknowns: 0,
    give_ups: 1,
    breaks: 0,
    crashes: 0,
    mistake: None,
};
/// Two such sets, and a reply is lost or a client hangs up.
const OPPOSITE_UNKNOWN: Sets = Sets { unknowns: 1, give_ups: 0, horizon: 4, ..OPPOSITE };
/// Two such sets, and somebody breaks a lock.
const OPPOSITE_BROKEN: Sets = Sets { breaks: 1, give_ups: 0, horizon: 3, ..OPPOSITE };
/// Beside them somebody wants the second lock alone, and a replica is killed.
const OPPOSITE_KILLED: Sets =
    Sets { wants: &[&[0, 1], &[1, 0], &[1]], crashes: 1, give_ups: 0, rounds: 1, horizon: 4, ..OPPOSITE };

/// All searches but those with a mistake.
pub const ALL: &[Search] = &[
    holds("holders", HOLDERS),
    holds("unknown outcomes", UNKNOWN),
    holds("copies of a request", COPIES),
    holds("a replica is killed", KILLED),
    holds("waiters", WAITERS),
    holds("waiters, a replica is killed", WAITERS_KILLED),
    holds("waiters, a connection breaks", WAITERS_CUT),
    holds("waiters with keys, a connection breaks", Bounds { keyed: true, ..WAITERS_CUT }),
    holds("readers and a writer", READERS),
    holds("readers and a writer, a replica is killed", READERS_KILLED),
    holds("permits", PERMITS),
    holds("conversions", CONVERSIONS),
    holds("conversions, waiters", CONVERSIONS_WAITED_FOR),
    shares("failover, all but promise 1", FAILOVER),
    breaks("failover", EXCLUSION, FAILOVER),
    breaks("failover, grace but not for replays", EXCLUSION, Bounds { grace: GRACE_BUT_REPLAYS, ..FAILOVER }),
    holds("failover, grace", Bounds { grace: GRACE, ..FAILOVER }),
    holds("failover, grace, extends", Bounds { grace: GRACE, ..FAILOVER_EXTENDS }),
    holds("failover, ack", Bounds { ack: Ack::All, ..FAILOVER }),
    shares("split brain, all but promise 1", SPLIT_SHORT),
    breaks("split brain", EXCLUSION, SPLIT),
    breaks("split brain, grace", EXCLUSION, Bounds { grace: GRACE, ..SPLIT }),
    breaks("split brain, grace, ack of acquires only", EXCLUSION, Bounds { grace: GRACE, ack: Ack::Acquires, ..SPLIT }),
    holds("split brain, ack", Bounds { ack: Ack::All, ..SPLIT }),
    holds("split brain, grace, ack", Bounds { grace: GRACE, ack: Ack::All, ..SPLIT }),
    holds("split brain, grace, ack, copies", Bounds { grace: SHORT_GRACE, ack: Ack::All, ..SPLIT_COPIES }),
    shares("restart without data, all but promise 1", EMPTY),
    breaks("restart without data", EXCLUSION, EMPTY),
    breaks("restart without data, ack", EXCLUSION, Bounds { ack: Ack::All, ..EMPTY }),
    holds("restart without data, grace", Bounds { grace: GRACE, ..EMPTY }),
    breaks("failover to a clock that is behind", FENCES, Bounds { clock_behind: 2, ..FAILOVER }),
    whole("sets in opposite order", OPPOSITE),
    whole("sets, unknown outcomes", OPPOSITE_UNKNOWN),
    whole("sets, a lock is broken", OPPOSITE_BROKEN),
    whole("sets, a replica is killed", OPPOSITE_KILLED),
];

/// A search for each mistake, which must find it.
pub const MISTAKEN: &[Search] = &[
    mistaken(Mistake::ReleaseComparesNoToken, OWN_TENURE, HOLDERS),
    mistaken(Mistake::ExtendComparesTenureOnly, STALE, HOLDERS),
    mistaken(Mistake::AcquireIgnoresHolder, EXCLUSION, HOLDERS),
    mistaken(Mistake::FenceCounts, FENCES, EMPTY),
    mistaken(Mistake::NothingIsCancelled, ORPHANS, UNKNOWN),
    mistaken(Mistake::CancelLeavesNoMark, CANCELLED, UNKNOWN),
    mistaken(Mistake::CancelIgnoresCopies, EXCLUSION, COPIES),
    mistaken(Mistake::QueueLetsIn, ORDER, WAITERS),
    mistaken(Mistake::ReplayGrantsAgain, ONCE, COPIES),
    mistaken(Mistake::WaiterForgetsDoubt, ORPHANS, WAITERS_CUT),
    mistaken(Mistake::ClientCountsFromAnswer, EXCLUSION, HOLDERS),
    mistaken(Mistake::PruneForgetsUsed, COUNTED, PERMITS),
    mistaken(Mistake::JoinIgnoresQueue, ORDER, READERS),
    mistaken(Mistake::LeaveCallsNobody, WORK, READERS),
    mistaken(Mistake::AnySecretActs, STALE, CONVERSIONS),
    mistaken(Mistake::ConvertIgnoresOthers, COMPATIBLE, CONVERSIONS),
    mistaken(Mistake::FloorIsFence, FLOOR, READERS),
    mistaken_sets(Mistake::SetsInRequestOrder, NO_CIRCLE, OPPOSITE),
    mistaken_sets(Mistake::CommitIgnoresLoss, TOGETHER, OPPOSITE_BROKEN),
    mistaken_sets(Mistake::RefusedSetKeepsParts, NONE_KEPT, OPPOSITE),
];

/// A search whose promises must all hold.
const fn holds(name: &'static str, bounds: Bounds) -> Search {
    Search { name, searched: Searched::Lock(Protocol { bounds, excludes: true }), breaks: None }
}

/// A search that doesn't look at exclusion.
const fn shares(name: &'static str, bounds: Bounds) -> Search {
    Search { name, searched: Searched::Lock(Protocol { bounds, excludes: false }), breaks: None }
}

/// A search that must find a way to break a promise.
const fn breaks(name: &'static str, property: &'static str, bounds: Bounds) -> Search {
    Search { name, searched: Searched::Lock(Protocol { bounds, excludes: true }), breaks: Some(property) }
}

/// A search that must find a mistake.
const fn mistaken(mistake: Mistake, property: &'static str, bounds: Bounds) -> Search {
    let bounds = Bounds { mistake: Some(mistake), ..bounds };
    let excludes = matches!(bounds.loss, Loss::Never);
    Search { name: mistake.words(), searched: Searched::Lock(Protocol { bounds, excludes }), breaks: Some(property) }
}

/// A search of sets, whose promises must all hold.
const fn whole(name: &'static str, sets: Sets) -> Search {
    Search { name, searched: Searched::Sets(sets), breaks: None }
}

/// A search of sets that must find a mistake.
const fn mistaken_sets(mistake: Mistake, property: &'static str, sets: Sets) -> Search {
    let sets = Sets { mistake: Some(mistake), ..sets };
    Search { name: mistake.words(), searched: Searched::Sets(sets), breaks: Some(property) }
}
