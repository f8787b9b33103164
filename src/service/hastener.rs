//! Has a watched lock looked at as soon as an event says that it has changed, where events are read anyway.

use std::{sync::Arc, time::Duration};

use gorilla_domain::event::Change;
use tokio::time::{interval, sleep};

use super::watches::Watches;
use crate::events::{Feed, Listener, Told};

/// How often the hastener looks whether it is of use.
const LOOK: Duration = Duration::from_secs(2);

/// Listens as long as a lock is watched and events are recorded for others too: whoever watches a lock does not have Redis
/// record events.
pub(super) async fn hasten(watches: Arc<Watches>, feed: Arc<Feed>) {
    while watches.go_on_hastening() {
        if (feed.always_records() || feed.listeners() > 0)
            && let Ok(listener) = feed.listen(None).await
        {
            listen(&watches, &feed, listener).await;
        }
        sleep(LOOK).await;
    }
}

async fn listen(watches: &Watches, feed: &Feed, mut listener: Listener) {
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            told = listener.next() => match told {
                Told::Event(recorded) => {
                    let event = &recorded.event;
                    // Neither a renewal nor who waits changes hands.
                    if !matches!(event.change, Change::Extended { .. } | Change::Queued { .. } | Change::Left { .. }) {
                        watches.changed(&event.resource);
                    }
                }
                Told::Missed(_) | Told::Bookmark(_) => {}
                Told::End(_) => return,
            },
            _ = looks.tick() => {
                let is_of_use = feed.always_records() || feed.listeners() > 1;
                if !is_of_use || !watches.is_watching() {
                    return;
                }
            }
        }
    }
}
