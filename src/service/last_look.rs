//! What the store said about itself a moment ago.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use tracing::{info, warn};

/// How long what the store has said holds. So a flood of questions costs Redis ten looks a second.
const FRESH: Duration = Duration::from_millis(100);

/// When the last look at the store ended, and why the store did not take writes then. One look is made at a time.
#[derive(Default)]
pub struct LastLook(Mutex<Option<Look>>);

type Look = (Instant, Result<(), String>);

impl LastLook {
    /// Whether the store takes writes, or did a moment ago. Logs each change.
    pub async fn or(&self, look: impl Future<Output = Result<(), String>>) -> Result<(), String> {
        let mut last = self.0.lock().await;
        if let Some((_, seen)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return seen.clone();
        }
        let seen = look.await;
        note(&mut last, seen.clone());
        seen
    }

    /// The same where it is known without a look why the store takes no writes.
    pub async fn or_known(&self, why: String) -> Result<(), String> {
        note(&mut *self.0.lock().await, Err(why.clone()));
        Err(why)
    }
}

/// Keeps what was seen, and logs it if it is new.
fn note(last: &mut Option<Look>, seen: Result<(), String>) {
    let before = last.take().map(|(_, before)| before);
    match (&seen, before) {
        (Err(reason), before) if before.as_ref() != Some(&seen) => {
            warn!(%reason, "not ready: load balancers should send no requests");
        }
        (Ok(()), Some(Err(_))) => info!("ready again"),
        _ => {}
    }
    *last = Some((Instant::now(), seen));
}
