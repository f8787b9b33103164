//! Finds the locks that are held already when a reader begins: what was granted before anything was recorded ends too.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Cursor, List, ResourceName, State, Tenure};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::debug;

use super::fold::{MOST_OPEN, Open};
use crate::store::Store;

/// Locks on a page.
const PAGE: usize = 200;
/// The walk takes at most a tenth of the time of Redis: it rests so many times as long as a page took.
const REST: u32 = 9;
/// From a page that failed to the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// A grant that is held.
pub struct Seed {
    /// Which lock.
    pub resource: ResourceName,
    /// The grant.
    pub grant: Open,
}

/// Walks through all locks that are held, in the background, until the receiver is dropped.
pub fn find(store: &Arc<Store>) -> mpsc::Receiver<Vec<Seed>> {
    let (found, seeds) = mpsc::channel(4);
    let store = Arc::clone(store);
    tokio::spawn(async move { walk(&store, &found).await });
    seeds
}

async fn walk(store: &Store, found: &mpsc::Sender<Vec<Seed>>) {
    let (mut from, mut count) = (Cursor::default(), 0);
    while count < MOST_OPEN {
        let begun = Instant::now();
        let asked = List { prefix: String::new(), scope: None, owner: None, from, limit: PAGE };
        let page = match store.list(&asked).await {
            Ok(page) => page,
            Err(failure) => {
                debug!(?failure, "could not look which locks are held");
                tokio::select! {
                    () = sleep(RETRY) => continue,
                    () = found.closed() => return,
                }
            }
        };
        let seeds: Vec<_> = page.locks.into_iter().flat_map(|(resource, state)| seeds(resource, state)).collect();
        count += seeds.len();
        if found.send(seeds).await.is_err() {
            return;
        }
        match page.next {
            Some(next) => from = next,
            None => return,
        }
        sleep(begun.elapsed() * REST).await;
    }
}

fn seeds(resource: ResourceName, state: State) -> Vec<Seed> {
    let tenures = match state {
        State::Held { tenure, .. } => vec![tenure],
        State::Shared { holders, .. } => holders.into_iter().map(|member| member.tenure).collect(),
        State::Free { .. } => Vec::new(),
    };
    let seed = |Tenure { id, owner, fence, created, expires, .. }| Seed {
        resource: resource.clone(),
        grant: Open {
            id,
            owner,
            fence,
            created: Some(created.timestamp_millis()),
            ends: expires.timestamp_millis(),
            floor: None,
            settled: None,
            asked: 0,
        },
    };
    tenures.into_iter().map(seed).collect()
}
