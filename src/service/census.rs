//! Looks at all locks, for a list in an order and for how many there are. Redis has no index of locks, so this walks over
//! all keys: one walk at a time, at most one in 10 s for the same locks, whoever asks, and in small steps with pauses that
//! leave nine tenths of Redis's time to others.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gorilla_domain::{Cursor, Failure, ResourceName};
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout},
};

use super::row::Row;
use crate::{
    fleet::{Counted, History, Range},
    store::Store,
};

/// For so long a walk holds.
const FRESH: Duration = Duration::from_secs(10);
/// For so long an older walk is shown while a new one is made.
const SHOWN: Duration = Duration::from_secs(180);
/// Nobody has asked for so long: what was seen is forgotten.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a first walk may take before what it has seen is shown.
const PATIENCE_FOR_ALL: Duration = Duration::from_millis(500);
/// A pause is so many times as long as Redis was busy with the step before it, so that Redis serves a walk for a tenth of
/// the time at most.
const PAUSE: u32 = 9;
/// How long Redis is busy with a step at most, and with a look at a lock: some three times what was measured. How long a reply
/// takes to come says more about a busy replica than about Redis.
const BUSY_STEP: Duration = Duration::from_millis(3);
const BUSY_LOOK: Duration = Duration::from_micros(30);
/// How many keys a step looks at.
const STEP: usize = 1000;
/// Every holder of a shared lock is looked at.
const HOLDERS: u64 = 1_000_000;
/// How many locks a walk looks at.
pub const MOST: usize = 200_000;

/// What was seen of all locks.
pub struct Census {
    store: Arc<Store>,
    /// By what the names of the locks begin with.
    walks: Mutex<HashMap<String, Walk>>,
    one: Semaphore,
    counting: Mutex<Counting>,
}

/// The walks over the locks whose names begin with one text.
struct Walk {
    asked: Instant,
    /// The last that has ended.
    done: Option<(Instant, Result<Arc<Seen>, TooMany>)>,
    /// The one that is under way.
    under_way: Option<watch::Receiver<Step>>,
}

/// How far a walk has come.
#[derive(Clone, Default)]
struct Step {
    seen: Arc<Seen>,
    /// Set at its end.
    end: Option<Result<(), End>>,
}

/// Why a walk ended without all locks.
#[derive(Clone, Debug)]
enum End {
    TooMany,
    Failed(Failure),
}

/// There are more than [`MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// The locks that a walk has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When the walk began, in milliseconds since 1970 by the clock of Redis.
    pub at: i64,
    /// The locks, in steps, in no order.
    pub rows: Vec<Arc<Vec<Row>>>,
    /// How much of all keys was looked at, from 0 to 1.
    pub progress: f64,
}

#[derive(Default)]
struct Counting {
    last: Option<Counted>,
    is_under_way: bool,
}

impl Census {
    /// Nothing was seen yet.
    pub fn new(store: Arc<Store>) -> Arc<Self> {
        let (walks, counting) = Default::default();
        Arc::new(Self { store, walks, one: Semaphore::new(1), counting })
    }

    /// The locks whose names begin with `start`, and perhaps others: as a walk has seen them that is at most 10 s old; or
    /// older, while a new one is made; or, of a first walk, as far as it has come.
    pub async fn look(self: &Arc<Self>, start: &str) -> Result<Result<Arc<Seen>, TooMany>, Failure> {
        let mut step = {
            let mut walks = self.walks();
            for (of, walk) in walks.iter_mut().filter(|(of, _)| start.starts_with(of.as_str())) {
                let fresh = walk.done.as_ref().filter(|(at, _)| at.elapsed() < FRESH);
                // Too many there may be few here.
                if let Some((_, seen)) = fresh.filter(|(_, seen)| seen.is_ok() || of == start) {
                    walk.asked = Instant::now();
                    return Ok(seen.clone());
                }
            }
            let walk = walks.entry(start.into()).or_insert_with(Walk::new);
            walk.asked = Instant::now();
            let step = walk.under_way.get_or_insert_with(|| self.begin(start)).clone();
            if let Some((_, Ok(seen))) = walk.done.as_ref().filter(|(at, _)| at.elapsed() < SHOWN) {
                return Ok(Ok(Arc::clone(seen)));
            }
            step
        };
        // A walk that is dropped at the end of the replica leaves what it has seen.
        let _ = timeout(PATIENCE_FOR_ALL, step.wait_for(|step| step.end.is_some())).await;
        let step = step.borrow().clone();
        match step.end {
            Some(Err(End::Failed(failure))) => Err(failure),
            Some(Err(End::TooMany)) => Ok(Err(TooMany)),
            Some(Ok(())) | None => Ok(Ok(step.seen)),
        }
    }

    /// How many locks were held when this replica counted them last.
    pub fn counted(&self) -> Option<Counted> {
        self.counting().last
    }

    /// Counts the locks that are held, in the background, unless a replica has done so in the last 10 s.
    pub fn count(self: &Arc<Self>, history: &History, now: i64) {
        let mut counting = self.counting();
        let told = history.after(now - Range::LONGEST.millis()).iter().filter_map(|seen| seen.pulse.held);
        let last = told.chain(counting.last).map(|counted| counted.at).max();
        if counting.is_under_way || last.is_some_and(|last| now - last < FRESH.as_millis() as i64) {
            return;
        }
        counting.is_under_way = true;
        drop(counting);
        let census = Arc::clone(self);
        tokio::spawn(async move {
            let counted = census.count_all().await;
            let mut counting = census.counting();
            counting.is_under_way = false;
            // If Redis is away, the last count holds.
            if let Ok(count) = counted {
                counting.last = Some(Counted { count, at: now });
            }
        });
    }

    /// Forgets what nobody has asked for lately.
    pub fn forget(&self) {
        self.walks().retain(|_, walk| walk.under_way.is_some() || walk.asked.elapsed() < PATIENCE);
    }

    async fn count_all(&self) -> Result<u64, Failure> {
        let _one = self.one.acquire().await;
        // SCAN may tell a key twice. A number for each name takes less memory than the names.
        let mut seen = HashSet::new();
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            let begun = Instant::now();
            let (names, then) = self.store.scan("", from, STEP).await?;
            next = then;
            for name in names {
                let mut hasher = DefaultHasher::new();
                name.as_str().hash(&mut hasher);
                seen.insert(hasher.finish());
            }
            rest(begun, 0).await;
        }
        Ok(seen.len() as u64)
    }

    /// Begins a walk in the background.
    fn begin(self: &Arc<Self>, start: &str) -> watch::Receiver<Step> {
        let (told, step) = watch::channel(Step::default());
        let (census, start) = (Arc::clone(self), start.to_string());
        tokio::spawn(async move {
            let end = census.walk(&start, &told).await;
            let seen = Arc::clone(&told.borrow().seen);
            let mut walks = census.walks();
            if let Some(walk) = walks.get_mut(&start) {
                walk.under_way = None;
                match &end {
                    Ok(()) => walk.done = Some((Instant::now(), Ok(seen))),
                    Err(End::TooMany) => walk.done = Some((Instant::now(), Err(TooMany))),
                    Err(End::Failed(_)) => {}
                }
            }
            drop(walks);
            told.send_modify(|step| step.end = Some(end));
        });
        step
    }

    async fn walk(&self, start: &str, told: &watch::Sender<Step>) -> Result<(), End> {
        let _one = self.one.acquire().await;
        let at = self.store.time().await?.timestamp_millis();
        let keys = self.store.keys().await?.max(1);
        let mut names: HashSet<ResourceName> = HashSet::new();
        let mut next = Some(Cursor::default());
        let mut looked = 0;
        while let Some(from) = next {
            let begun = Instant::now();
            let (found, then) = self.store.scan(start, from, STEP).await?;
            // SCAN may tell a key twice.
            let new: Vec<_> = found.into_iter().filter(|name| names.insert(name.clone())).collect();
            if names.len() > MOST {
                return Err(End::TooMany);
            }
            let looks = new.len() as u32;
            let rows = self.store.look_at_all(new, HOLDERS).await?;
            let rows = Arc::new(rows.into_iter().map(Row::of).collect::<Vec<_>>());
            next = then;
            looked += STEP as u64;
            // Below 1 until the end, because keys may have come meanwhile.
            let progress = if next.is_none() { 1.0 } else { (looked as f64 / keys as f64).min(0.99) };
            told.send_modify(|step| {
                let seen = Arc::make_mut(&mut step.seen);
                (seen.at, seen.progress) = (at, progress);
                seen.rows.push(rows);
            });
            if next.is_some() {
                rest(begun, looks).await;
            }
        }
        Ok(())
    }

    fn walks(&self) -> MutexGuard<'_, HashMap<String, Walk>> {
        self.walks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counting(&self) -> MutexGuard<'_, Counting> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves Redis to others after a step with so many looks.
async fn rest(begun: Instant, looks: u32) {
    sleep(begun.elapsed().min(BUSY_STEP + BUSY_LOOK * looks) * PAUSE).await;
}

impl Walk {
    fn new() -> Self {
        Self { asked: Instant::now(), done: None, under_way: None }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
