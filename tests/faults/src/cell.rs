//! The cells of the table: which fault, on which servers, with which options of Gorilla, and what may break there.

use std::fmt;

use crate::check::Property;

/// What is done to a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Nothing,
    /// A replica of Gorilla is killed, and started anew.
    ReplicaKilled,
    /// A replica of Gorilla is stopped for longer than the leases, and goes on.
    ReplicaPaused,
    /// Replicas of Gorilla are replaced one after the other, each told to end.
    RollingRestart,
    /// Replicas of version 0.1 are replaced by replicas of this version, one after the other: most are told to end,
    /// some are killed.
    Upgrade,
    /// The same in the other direction: replicas of this version are replaced by replicas of version 0.1.
    RollBack,
    /// Every third client hangs up in the middle of an acquire or a wait.
    ClientsGone,
    /// Redis is stopped for a while, and goes on.
    RedisPaused,
    /// Redis is killed, and started with its append-only file, which it writes before it answers.
    RedisKilled,
    /// Redis executes requests, and its replies are lost.
    RepliesDropped,
    /// Requests to Redis are lost.
    RequestsDropped,
    /// Connections to Redis are reset, again and again.
    ConnectionsReset,
    /// Each reply of Redis comes 200 ms later.
    Latency,
    /// The append-only file can't grow.
    DiskFull,
    /// Redis forgets the scripts and ends all connections.
    ScriptsFlushed,
    /// Redis is killed, and started without its data.
    RedisEmptied,
    /// `FLUSHALL`.
    Flushed,
    /// Redis's wall clock steps 120 s forward.
    ClockForward,
    /// Redis's wall clock steps 120 s back.
    ClockBack,
    /// Redis is told to evict keys, and is made to do so.
    Evicted,
    /// The master is killed, half of the time with replicas that lag behind.
    MasterKilled,
    /// The master is stopped until another is promoted, and goes on.
    MasterHung,
    /// The master is cut off from all but one replica of Gorilla until another is promoted.
    MasterCutOff,
    /// The slots of all resources are moved to other masters.
    Resharded,
}

/// The servers of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One Redis.
    Standalone,
    /// A master, two replicas, three sentinels.
    Sentinel,
    /// Three masters, and a replica of each.
    Cluster,
}

/// A fault, where, and with what against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What is done.
    pub fault: Fault,
    /// The servers of Redis.
    pub topology: Topology,
    /// Whether new grants wait after data may have been lost: `redis.failover_grace`.
    pub grace: bool,
    /// Whether a replica of Redis must confirm each success: `redis.min_replicas_ack`.
    pub acked: bool,
    /// Whether replicas of version 0.1 and of this version serve side by side all the time.
    pub mixed: bool,
}

impl Cell {
    /// All of them, in the order of the table.
    pub fn all() -> Vec<Self> {
        use Fault::*;
        let cell = |fault, topology| Self { fault, topology, grace: false, acked: false, mixed: false };
        let standalone = [
            Nothing,
            ReplicaKilled,
            ReplicaPaused,
            RollingRestart,
            ClientsGone,
            RedisPaused,
            RedisKilled,
            RepliesDropped,
            RequestsDropped,
            ConnectionsReset,
            Latency,
            DiskFull,
            ScriptsFlushed,
            RedisEmptied,
            Flushed,
            ClockForward,
            ClockBack,
            Evicted,
        ];
        let mut cells: Vec<_> = standalone.map(|fault| cell(fault, Topology::Standalone)).into();
        cells.extend([MasterKilled, MasterHung, MasterCutOff].map(|fault| cell(fault, Topology::Sentinel)));
        cells.extend([MasterKilled, MasterHung, Resharded].map(|fault| cell(fault, Topology::Cluster)));
        let graced = [
            (RedisEmptied, Topology::Standalone),
            (Flushed, Topology::Standalone),
            (MasterKilled, Topology::Sentinel),
            (MasterKilled, Topology::Cluster),
        ];
        cells.extend(graced.map(|(fault, topology)| Self { grace: true, ..cell(fault, topology) }));
        let both = [(MasterKilled, Topology::Sentinel), (MasterCutOff, Topology::Sentinel)];
        cells.extend(both.map(|(fault, topology)| Self { grace: true, acked: true, ..cell(fault, topology) }));
        let replaced = [
            (Upgrade, Topology::Standalone),
            (RollBack, Topology::Standalone),
            (Upgrade, Topology::Sentinel),
            (RollBack, Topology::Cluster),
        ];
        cells.extend(replaced.map(|(fault, topology)| cell(fault, topology)));
        let mixed = [
            (Nothing, Topology::Standalone, false),
            (ClientsGone, Topology::Standalone, false),
            (RepliesDropped, Topology::Standalone, false),
            (MasterKilled, Topology::Sentinel, true),
            (Resharded, Topology::Cluster, false),
        ];
        cells.extend(mixed.map(|(fault, topology, grace)| Self { grace, mixed: true, ..cell(fault, topology) }));
        cells
    }

    /// Whether a replica of version 0.1 is in this place at the start.
    pub fn starts_with_0_1(self, index: usize) -> bool {
        self.fault == Fault::Upgrade || self.mixed && index.is_multiple_of(2)
    }

    /// Whether somebody listens to the stream of events. In a Cluster nobody does yet, because what listeners hear is compared
    /// by cursors of one stream; and a replica of version 0.1 records nothing. There the scripts are tested as they run while
    /// nobody listens.
    pub fn listens(self) -> bool {
        self.topology != Topology::Cluster && !self.has_0_1()
    }

    /// Whether a replica of version 0.1 runs for some time.
    pub fn has_0_1(self) -> bool {
        self.mixed || matches!(self.fault, Fault::Upgrade | Fault::RollBack)
    }

    /// The promises that can't hold here, and why: because Redis forgets what it had confirmed, or ends leases early or
    /// late, or because a replica of version 0.1 knows no shared locks.
    pub fn may_break(self) -> Vec<Property> {
        use Fault::*;
        use Property::*;
        // A lock that is gone or has come back ends grants early, may have an old floor, and may have lost its limit. A set
        // may have lost a lock before it is answered.
        let forgets = [Exclusion, Standing, Floors, Limits, SafeRetry, Sets, Leaders];
        let mut broken = match (self.fault, self.grace, self.acked) {
            // Gorilla can't answer again from a request record that Redis has lost, not even if new grants wait.
            (RedisEmptied | Flushed, false, _) => forgets.to_vec(),
            (RedisEmptied | Flushed, true, _) => vec![Standing, Limits, SafeRetry, Leaders],
            // A lock that Redis evicted is free, and its data are still of the same incarnation.
            (Evicted | ClockForward, ..) => forgets.to_vec(),
            // If Redis loses a release or an extend, the token that it had ended is valid again, and what a batch or a refused
            // set had given back is held again.
            (MasterKilled | MasterHung | MasterCutOff, false, false) => {
                [&forgets[..], &[StaleTokens, Batches]].concat()
            }
            (MasterKilled | MasterHung, true, false) => {
                vec![Standing, Limits, StaleTokens, SafeRetry, Sets, Batches, Leaders]
            }
            // No replica of Redis confirms a pinned limit, or what a look has seen.
            (MasterKilled, true, true) => vec![Limits, Leaders],
            // A master that is cut off knows no grants of the other master, and refuses their tokens; and it keeps what the
            // other master was given back.
            (MasterCutOff, true, true) => vec![Limits, Standing, Sets, Batches, Leaders],
            _ => vec![],
        };
        if matches!(self.fault, MasterHung | MasterCutOff) {
            // There are two masters for a while, the one that goes on where it hung until Sentinel has demoted it: two streams. A
            // listener is told what happens at one of them. Scripts record a change before replicas confirm it.
            broken.push(Events);
        }
        if self.fault == RollBack {
            // A replica that ends keeps the place of a shared request, which one of version 0.1 then refuses.
            broken.push(NoOrphans);
        }
        if self.has_0_1() {
            // A replica of version 0.1 finds no grant with the token of a shared lock, and calls nobody into a group when a
            // waiter leaves.
            broken.extend([Standing, Conservation].into_iter().filter(|one| !broken.contains(one)).collect::<Vec<_>>());
        }
        broken
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // ReplicaKilled becomes replica-killed.
        for (index, letter) in format!("{self:?}").char_indices() {
            if letter.is_uppercase() && index > 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        })
    }
}

/// The name by which a cell is chosen: `sentinel/master-killed+grace`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.topology, self.fault)?;
        let options = [(self.grace, "+grace"), (self.acked, "+ack"), (self.mixed, "+mixed")];
        options.iter().filter(|(is_on, _)| *is_on).try_for_each(|(_, name)| f.write_str(name))
    }
}
