//! Which grants are open, by what was recorded: so that the end of a lease is told, which nobody causes. Each replica that
//! reads the same entries has the same grants open, and derives the same ends from them.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use gorilla_domain::{
    ResourceName,
    event::{Change, Cursor, Event},
};
use gorilla_scripts::Settlement;

use super::line::{Line, time};

/// Grants that a replica follows, at most.
pub const MOST_OPEN: usize = 200_000;

/// From the end of a lease until a replica asks Redis about it, at least (ms).
const PATIENCE: i64 = 5;
/// So much later at most, so that not all replicas ask in one moment (ms).
const JITTER: i64 = 150;

/// The open grants.
pub struct Fold {
    locks: HashMap<Arc<str>, Lock>,
    /// When to look at which grant (ms since 1970, the resource, the fence). A grant may stand here more than once, and
    /// earlier than it has to be looked at.
    due: BinaryHeap<Reverse<(i64, Arc<str>, u64)>>,
    open: usize,
    most: usize,
    jitter: fn() -> i64,
}

/// What is known of a lock that has open grants.
struct Lock {
    resource: ResourceName,
    /// The last fence.
    latest: u64,
    open: Vec<Open>,
}

/// A grant that has not ended.
#[derive(Clone, Debug)]
pub struct Open {
    /// The id of the tenure.
    pub id: String,
    /// The label of the holder.
    pub owner: String,
    /// The fence.
    pub fence: u64,
    /// When it was granted (ms since 1970), if that is known.
    pub created: Option<i64>,
    /// When its lease ends (ms since 1970).
    pub ends: i64,
    /// Of a holder of a shared lock: the fence of the first grant of its group, if that is known.
    pub floor: Option<u64>,
    /// How it ends, if that is settled.
    pub settled: Option<Settlement>,
    /// How often Redis was asked in vain whether it has ended.
    pub asked: u8,
}

/// A grant whose lease should have ended.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which lock.
    pub resource: ResourceName,
    /// The grant.
    pub grant: Open,
    /// The last fence of the lock.
    pub latest: u64,
}

impl Fold {
    /// Nothing is open.
    pub fn new(most: usize) -> Self {
        let jitter = || i64::from(rand_below(JITTER as u32));
        Self { locks: HashMap::new(), due: BinaryHeap::new(), open: 0, most, jitter }
    }

    /// Whether there are more open grants than may be followed.
    pub fn is_full(&self) -> bool {
        self.open >= self.most
    }

    /// Takes what was recorded at a position. Returns the ends that nobody recorded and that follow from it, which come
    /// before it.
    pub fn take(&mut self, line: &Line, cursor: Cursor) -> Vec<(Event, Cursor)> {
        let Line { event, floor, settled } = line;
        let (Some(fence), Some(id)) = (event.fence, &event.id) else { return Vec::new() };
        match &event.change {
            Change::Granted { expire_at, .. } => {
                // A grant to one holder means that all others have ended; one to a holder of a group means so of those that
                // came before the group.
                let ended = self.end(&event.resource, |open| floor.is_none_or(|floor| open.fence < floor));
                let grant = Open {
                    id: id.clone(),
                    owner: event.owner.clone(),
                    fence,
                    created: Some(event.at.timestamp_millis()),
                    ends: expire_at.timestamp_millis(),
                    floor: *floor,
                    settled: None,
                    asked: 0,
                };
                self.open(&event.resource, grant);
                let derived = (0..).zip(ended).map(|(number, open)| {
                    let cursor = Cursor { derived: Some(number), ..cursor };
                    (end_of(event, &open), cursor)
                });
                derived.collect()
            }
            Change::Extended { expire_at } => {
                let ends = expire_at.timestamp_millis();
                match self.find(&event.resource, fence) {
                    Some(open) => {
                        let is_earlier = ends < open.ends;
                        (open.ends, open.settled, open.asked) = (ends, settled.clone().or(open.settled.take()), 0);
                        if is_earlier {
                            self.look_at(&event.resource, fence, ends);
                        }
                    }
                    // It was granted before anything was recorded.
                    None => self.open(
                        &event.resource,
                        Open {
                            id: id.clone(),
                            owner: event.owner.clone(),
                            fence,
                            created: None,
                            ends,
                            floor: None,
                            settled: settled.clone(),
                            asked: 0,
                        },
                    ),
                }
                Vec::new()
            }
            Change::Released { .. } | Change::Expired { .. } | Change::Broken { .. } | Change::Undone { .. } => {
                self.end(&event.resource, |open| open.fence == fence);
                Vec::new()
            }
            Change::Queued { .. } | Change::Left { .. } => Vec::new(),
        }
    }

    /// Follows a grant that was found in Redis, unless it is followed already.
    pub fn found(&mut self, resource: &ResourceName, grant: Open) {
        if self.find(resource, grant.fence).is_none() {
            self.open(resource, grant);
        }
    }

    /// The grants whose leases should have ended by this time, at most so many. Each is looked at again in a while, unless
    /// it has ended by then.
    pub fn due(&mut self, now: i64, most: usize) -> Vec<Due> {
        const AGAIN: i64 = 2_000;
        let mut all = Vec::new();
        while all.len() < most
            && let Some(Reverse((at, _, _))) = self.due.peek()
            && *at <= now
        {
            let Some(Reverse((_, name, fence))) = self.due.pop() else { break };
            let Some(lock) = self.locks.get(&name) else { continue };
            let Some(grant) = lock.open.iter().find(|open| open.fence == fence) else { continue };
            // It was extended since.
            if grant.ends + PATIENCE > now {
                let at = grant.ends + PATIENCE + (self.jitter)();
                self.due.push(Reverse((at, name, fence)));
                continue;
            }
            all.push(Due { resource: lock.resource.clone(), grant: grant.clone(), latest: lock.latest });
            self.due.push(Reverse((now + AGAIN, name, fence)));
        }
        all
    }

    /// When a grant is due next (ms since 1970).
    pub fn next_due(&self) -> Option<i64> {
        self.due.peek().map(|Reverse((at, _, _))| *at)
    }

    /// A grant lasts until then (ms since 1970).
    pub fn lasts(&mut self, resource: &ResourceName, fence: u64, ends: i64) {
        if let Some(open) = self.find(resource, fence) {
            (open.ends, open.asked) = (ends, 0);
            self.look_at(resource, fence, ends);
        }
    }

    /// Redis was asked about a grant, and nothing has come of it yet. After a few times the grant is forgotten: what became
    /// of it was not recorded.
    pub fn asked(&mut self, resource: &ResourceName, fence: u64, most: u8) {
        let Some(open) = self.find(resource, fence) else { return };
        open.asked += 1;
        if open.asked >= most {
            self.end(resource, |open| open.fence == fence);
        }
    }

    fn find(&mut self, resource: &ResourceName, fence: u64) -> Option<&mut Open> {
        self.locks.get_mut(resource.as_str())?.open.iter_mut().find(|open| open.fence == fence)
    }

    fn open(&mut self, resource: &ResourceName, grant: Open) {
        if self.is_full() {
            return;
        }
        let (fence, ends) = (grant.fence, grant.ends);
        let name: Arc<str> = resource.as_str().into();
        let new = || Lock { resource: resource.clone(), latest: 0, open: Vec::new() };
        let lock = self.locks.entry(name).or_insert_with(new);
        lock.latest = lock.latest.max(fence);
        lock.open.push(grant);
        self.open += 1;
        self.look_at(resource, fence, ends);
    }

    fn look_at(&mut self, resource: &ResourceName, fence: u64, ends: i64) {
        let Some((name, _)) = self.locks.get_key_value(resource.as_str()) else { return };
        self.due.push(Reverse((ends + PATIENCE + (self.jitter)(), Arc::clone(name), fence)));
    }

    /// Takes out the open grants of a lock that have ended, in the order of their fences.
    fn end(&mut self, resource: &ResourceName, has_ended: impl Fn(&Open) -> bool) -> Vec<Open> {
        let Some(lock) = self.locks.get_mut(resource.as_str()) else { return Vec::new() };
        let mut ended: Vec<_> = lock.open.extract_if(.., |open| has_ended(open)).collect();
        self.open -= ended.len();
        if lock.open.is_empty() {
            self.locks.remove(resource.as_str());
        }
        ended.sort_by_key(|open| open.fence);
        ended
    }
}

/// The end of a grant that follows from a later grant.
fn end_of(later: &Event, open: &Open) -> Event {
    let at = later.at.timestamp_millis();
    let ends = open.ends.min(at);
    let held_ms = open.created.map(|created| u64::try_from(ends - created).unwrap_or(0));
    let change = match &open.settled {
        None => Change::Expired { expired_at: time(ends).unwrap_or(later.at), held_ms },
        Some(Settlement::Released) => Change::Released { held_ms },
        Some(Settlement::Broken { by, reason }) => Change::Broken { held_ms, by: by.clone(), reason: reason.clone() },
    };
    Event {
        resource: later.resource.clone(),
        owner: open.owner.clone(),
        fence: Some(open.fence),
        id: Some(open.id.clone()),
        at: later.at,
        change,
    }
}

/// A number below another.
fn rand_below(bound: u32) -> u32 {
    // A UUID of version 4 has random bytes, and nothing more is needed here.
    (uuid::Uuid::new_v4().as_u128() as u32) % bound
}

#[cfg(test)]
mod tests {
    use gorilla_domain::event::{EntryId, Epoch};

    use super::*;

    fn cursor(ms: u64) -> Cursor {
        Cursor { epoch: Epoch::new(1).expect("it fits"), entry: EntryId { ms, seq: 0 }, index: 0, derived: None }
    }

    fn line(resource: &str, fence: u64, at: i64, floor: Option<u64>, change: Change) -> Line {
        let resource = ResourceName::parse(resource).expect("a name");
        let (owner, id) = (format!("owner-{fence}"), Some(format!("id-{fence}")));
        let event = Event { resource, owner, fence: Some(fence), id, at: time(at).expect("a time"), change };
        Line { event, floor, settled: None }
    }

    fn granted(resource: &str, fence: u64, at: i64, floor: Option<u64>) -> Line {
        let change = Change::Granted {
            expire_at: time(at + 1_000).expect("a time"),
            waited_ms: None,
            previous_fence: None,
            metadata: None,
            permits: floor.map(|_| 1),
            by: None,
        };
        line(resource, fence, at, floor, change)
    }

    #[test]
    fn a_grant_ends_all_that_came_before_it_and_one_of_a_group_all_that_came_before_the_group() {
        let mut fold = Fold::new(10);
        assert!(fold.take(&granted("a", 5, 100, Some(5)), cursor(1)).is_empty());
        assert!(fold.take(&granted("a", 7, 200, Some(5)), cursor(2)).is_empty(), "both are in the group");
        assert!(fold.take(&granted("b", 8, 200, None), cursor(2)).is_empty(), "it is another lock");
        let ended = fold.take(&granted("a", 9, 2_000, None), cursor(3));
        let told: Vec<_> = ended.iter().map(|(event, cursor)| (event.fence, cursor.to_string())).collect();
        assert_eq!(told, [(Some(5), "000000000001.3-0.0.e".into()), (Some(7), "000000000001.3-0.0.e1".into())]);
        let Change::Expired { expired_at, held_ms } = ended[0].0.change else { panic!("{ended:?}") };
        assert_eq!((expired_at.timestamp_millis(), held_ms), (1_100, Some(1_000)));
        // A new group.
        let ended = fold.take(&granted("a", 20, 5_000, Some(20)), cursor(4));
        assert_eq!(ended.iter().map(|(event, _)| event.fence).collect::<Vec<_>>(), [Some(9)]);
    }

    #[test]
    fn a_grant_is_due_after_its_end_until_it_has_ended_and_not_after_an_extend() {
        let mut fold = Fold::new(10);
        fold.take(&granted("a", 5, 0, None), cursor(1));
        assert!(fold.due(1_000, 10).is_empty());
        let later = time(9_000).expect("a time");
        fold.take(&line("a", 5, 500, None, Change::Extended { expire_at: later }), cursor(2));
        assert!(fold.due(8_000, 10).is_empty());
        let due = fold.due(9_500, 10);
        assert_eq!(
            due.iter().map(|due| (due.grant.fence, due.grant.ends, due.latest)).collect::<Vec<_>>(),
            [(5, 9_000, 5)]
        );
        assert!(fold.due(9_500, 10).is_empty(), "not again at once");
        assert_eq!(fold.due(12_000, 10).len(), 1);
        fold.take(&line("a", 5, 9_600, None, Change::Released { held_ms: None }), cursor(3));
        assert!(fold.due(99_000, 10).is_empty());
        assert_eq!(fold.locks.len(), 0);
    }

    #[test]
    fn no_more_grants_are_followed_than_may_be() {
        let mut fold = Fold::new(2);
        for (fence, name) in (1..).zip(["a", "b", "c"]) {
            fold.take(&granted(name, fence, 0, None), cursor(fence));
        }
        assert!(fold.is_full());
        assert_eq!(fold.due(9_000, 10).len(), 2);
        fold.take(&line("a", 1, 9_000, None, Change::Released { held_ms: None }), cursor(4));
        assert!(!fold.is_full());
    }
}
