//! `GET /api/v1/locks/{resource}?until=`: the public state, as soon as the lock is free or has changed

use std::{sync::OnceLock, time::Duration};

use axum::response::Response;
use gorilla_domain::{ResourceName, State};

use crate::{
    api::{
        answer::{self, MayHaveWaited},
        app::App,
        error::ApiError,
        fields,
        invalid::Invalid,
        query::parameters,
    },
    service::Caller,
};

const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// The largest number that every reader of JSON takes exactly, and larger than any fence.
const LARGEST_FENCE: usize = (1 << 53) - 1;

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Nobody holds the lock.
    Free,
    /// Another grant stands than the known one, or none.
    Changed {
        /// Its fence, 0 if it is known that nobody holds the lock. Without it, what the first look finds is known.
        known: Option<u64>,
    },
}

/// What a request asks for that waits.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    until: Until,
    wait: Duration,
}

/// Reads the parameters. None if the request does not wait.
pub fn parse(query: &str, max_wait: Duration) -> Result<Option<Asked>, Invalid> {
    let [until, fence, wait] = parameters(query, ["until", "fence", "wait"])?;
    let known = fields::whole_in_query("fence", fence.as_deref(), 0..=LARGEST_FENCE)?.map(|fence| fence as u64);
    let wait = fields::wait_in_query(wait.as_deref(), max_wait)?;
    let until = match until.as_deref() {
        Some("free") if known.is_some() => {
            return Err(Invalid::new("fence", "goes with until=changed only"));
        }
        Some("free") => Until::Free,
        Some("changed") => Until::Changed { known },
        Some(_) => return Err(Invalid::new("until", "must be free or changed")),
        None if known.is_some() => return Err(Invalid::new("fence", "goes with until=changed only")),
        None if wait.is_some() => return Err(Invalid::new("wait", "goes with until only")),
        None => return Ok(None),
    };
    Ok(Some(Asked { until, wait: wait.unwrap_or(DEFAULT_WAIT.min(max_wait)) }))
}

/// The state at the end of the wait.
pub async fn answer(app: &App, caller: &Caller, resource: &ResourceName, asked: Asked) -> Result<Response, ApiError> {
    let Asked { until, wait } = asked;
    let first = OnceLock::new();
    let is_reached = |state: &State| match until {
        Until::Free => matches!(state, State::Free { .. }),
        Until::Changed { known } => {
            let fence = fence(state);
            known.unwrap_or_else(|| *first.get_or_init(|| fence)) != fence
        }
    };
    let seen = app.service.watch(caller, resource, wait, is_reached).await?;
    let mut response = answer::json(&answer::public_state(resource, &seen.state));
    response.extensions_mut().insert(MayHaveWaited);
    Ok(response)
}

/// The fence of the grant that the public state tells; 0 for none.
fn fence(state: &State) -> u64 {
    match state {
        State::Held { tenure, .. } => tenure.fence,
        State::Shared { holders, .. } => holders.first().map_or(0, |member| member.tenure.fence),
        State::Free { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(60);

    #[test]
    fn parameters_are_read_with_their_defaults() {
        let (thirty, wait) = (Duration::from_secs(30), Duration::from_millis(1500));
        for (query, asked) in [
            ("", None),
            ("until=free", Some(Asked { until: Until::Free, wait: thirty })),
            ("until=changed&wait=1.5", Some(Asked { until: Until::Changed { known: None }, wait })),
            ("until=changed&fence=0&wait=1.5", Some(Asked { until: Until::Changed { known: Some(0) }, wait })),
        ] {
            assert_eq!(parse(query, MOST), Ok(asked), "{query}");
        }
        let short = parse("until=free", Duration::from_secs(5)).expect("a request");
        assert_eq!(short.map(|asked| asked.wait), Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_breaks_a_rule_is_refused_by_its_name() {
        for (query, field) in [
            ("until=never", "until"),
            ("until=", "until"),
            ("until=free&until=free", "until"),
            ("until=free&fence=3", "fence"),
            ("until=changed&fence=x", "fence"),
            ("until=changed&fence=-1", "fence"),
            ("until=free&wait=61", "wait"),
            ("until=free&wait=soon", "wait"),
            ("wait=5", "wait"),
            ("fence=5", "fence"),
            ("til=free", "query"),
        ] {
            assert_eq!(parse(query, MOST).err().map(|invalid| invalid.field), Some(field), "{query}");
        }
    }
}
