//! What all replicas have told, as far as this replica has read it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gorilla_domain::{Failure, Scope};
use gorilla_wire::{Contention, RedisNode, Stats};
use tokio::time::Instant;

use super::{aside::aside, cached::Cached};
use crate::{
    fleet::{History, Range},
    store::Store,
};

/// How long what was read of other replicas holds.
const FRESH: Duration = Duration::from_secs(1);
/// How long what Redis has told of itself holds, and what was seen of locks that are waited for.
const LOOK_FRESH: Duration = Duration::from_secs(2);
/// A replica that nobody asks for so long keeps nothing of what others have told.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all replicas have told, as far as this replica has read it, and what Redis has told.
pub struct Fleet {
    read: Cached<(), (Arc<History>, i64)>,
    /// What all replicas did, by the range.
    pub stats: Cached<Range, Arc<Stats>>,
    /// What Redis has told of itself.
    pub redis: Cached<(), Vec<RedisNode>>,
    /// What was seen of locks that are waited for, by the range and by what the caller may see.
    pub contention: Cached<(Range, Option<Scope>), Arc<Contention>>,
    kept: Mutex<Kept>,
}

/// What was read, so that the next time only what is new has to be read.
#[derive(Default)]
struct Kept {
    history: Arc<History>,
    /// The last entry.
    last: Option<String>,
    asked: Option<Instant>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            read: Cached::new(FRESH),
            stats: Cached::new(FRESH),
            redis: Cached::new(LOOK_FRESH),
            contention: Cached::new(LOOK_FRESH),
            kept: Mutex::default(),
        }
    }
}

impl Fleet {
    /// What all replicas have told, and the time of Redis in milliseconds since 1970.
    pub async fn history(&self, store: &Store) -> Result<(Arc<History>, i64), Failure> {
        let read = async {
            let now = store.time().await?.timestamp_millis();
            let (mut history, last) = {
                let mut kept = self.kept();
                kept.asked = Some(Instant::now());
                (Arc::clone(&kept.history), kept.last.clone())
            };
            let after = match &last {
                Some(last) => format!("({last}"),
                None => (now - Range::LONGEST.millis()).to_string(),
            };
            let told = store.told_since(&after).await?;
            let last = told.last().map(|told| told.id.clone()).or(last);
            let history = aside(move || {
                let changed = Arc::make_mut(&mut history);
                told.iter().for_each(|told| changed.add(told.at(), &told.text));
                changed.forget(now);
                history
            })
            .await?;
            let mut kept = self.kept();
            kept.last = last;
            kept.history = Arc::clone(&history);
            Ok((history, now))
        };
        self.read.or((), read).await
    }

    /// Forgets what was read, if nobody has asked lately.
    pub fn forget(&self) {
        let mut kept = self.kept();
        if kept.asked.is_none_or(|asked| asked.elapsed() >= PATIENCE) {
            *kept = Kept::default();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
