//! The beginning and the end of what a command runs under: the locks that were acquired, and their release.

use std::time::Duration;

use gorilla_client::{Error, Guard, GuardSet};
use serde_json::{Value, json};

use super::{leases::Leases, reporter::Reporter};

/// Releases what the command ran under, and says what came of it.
pub async fn release(set: GuardSet, reporter: &Reporter) {
    let what = if set.guards().len() == 1 { "the lock" } else { "each lock" };
    match set.release().await {
        Ok(()) => reporter.mention("released", json!({})),
        Err(Error::Lost(_)) => {}
        Err(error) => reporter.warn(
            "not_released",
            json!({ "reason": error.to_string() }),
            &format!("could not release {what}, which ends with its lease: {error}."),
        ),
    }
}

/// What the event of an acquired lock tells, or of several.
pub fn acquired_facts(set: &GuardSet, leases: &mut Leases, waited: Duration) -> Value {
    let of = |guard: &Guard| json!({ "fence": guard.fence(), "floor": guard.floor(), "mode": guard.mode(), "permits": guard.permits() });
    let mut facts = match set.guards() {
        [guard] => of(guard),
        guards => {
            let of = |guard: &Guard| {
                let mut lock = of(guard);
                lock["resource"] = guard.resource().into();
                lock
            };
            json!({ "locks": guards.iter().map(of).collect::<Vec<_>>() })
        }
    };
    facts["owner"] = set.guards().first().map(Guard::owner).into();
    facts["expireAt"] = leases.first_to_end().map(|lease| lease.expire_at).into();
    facts["waitedMs"] = (waited.as_millis() as u64).into();
    facts
}
