//! What all replicas have told, as far as this replica has read it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gorilla_domain::{Failure, Scope};
use gorilla_wire::{Contention, RedisNode};
use tokio::time::Instant;

use super::cached::Cached;
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
            let changed = Arc::make_mut(&mut history);
            told.iter().for_each(|told| changed.add(told.at(), &told.text));
            changed.forget(now);
            let mut kept = self.kept();
            kept.last = told.last().map(|told| told.id.clone()).or(last);
            kept.history = Arc::clone(&history);
            Ok((history, now))
        };
        self.read.or((), read).await
    }

    /// Whether somebody has asked lately. If not, forgets what was read.
    pub fn is_asked(&self) -> bool {
        let mut kept = self.kept();
        let is_asked = kept.asked.is_some_and(|asked| asked.elapsed() < PATIENCE);
        if !is_asked {
            *kept = Kept::default();
        }
        is_asked
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
