//! Waits until a lock is free or has changed, and takes nothing.

use std::time::Duration;

use gorilla_wire::{Code, State};
use reqwest::Method;

use crate::{
    clock::Moment,
    error::Error,
    requests,
    wire::{ANSWER_TIMEOUT, Answer, Request, Retry, Wire, read},
};

/// How long one request waits at most. Proxies end requests that take longer than a minute.
const LONGEST_PIECE: Duration = Duration::from_secs(30);
/// A server that refuses even so short a wait refuses all.
const SHORTEST_PIECE: Duration = Duration::from_millis(100);

/// How long a client that has had an answer goes on while it can't reach the server.
const OUTAGE: Duration = Duration::from_secs(60);

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Nobody holds the lock.
    Free,
    /// Another grant stands than that with this fence, or none. 0 stands for no grant.
    Changed(u64),
}

impl Until {
    fn is_reached(self, state: &State) -> bool {
        let fence = state.tenure.as_ref().map_or(0, |tenure| tenure.fence);
        match self {
            Self::Free => !state.held,
            Self::Changed(known) => fence != known,
        }
    }
}

/// The state of a lock as soon as it is reached, or at the end of the wait.
pub(crate) async fn wait(wire: &Wire, resource: &str, until: Until, wait: Duration) -> Result<State, Error> {
    let deadline = Moment::now() + wait;
    let mut longest = LONGEST_PIECE;
    let (mut retry, mut give_up) = (Retry::new(), wire.give_up());
    loop {
        let piece = deadline.left().min(longest);
        let query = match until {
            Until::Free => "until=free".into(),
            Until::Changed(fence) => format!("until=changed&fence={fence}"),
        };
        let path = format!("{}?{query}&wait={}", requests::path(resource), piece.as_secs_f64());
        let timeout = piece + ANSWER_TIMEOUT;
        let request = Request { method: Method::GET, path, token: None, key: None, body: None, timeout };
        match wire.exchange(&request).await {
            Ok(Answer::Done(_, body)) => {
                let state: State = read(body)?;
                if until.is_reached(&state) || deadline.left().is_zero() {
                    return Ok(state);
                }
                (retry, give_up) = (Retry::new(), (Moment::now() + OUTAGE).max(wire.give_up()));
            }
            // The server allows only shorter waits.
            Ok(Answer::Refused(refusal))
                if refusal.known() == Some(Code::InvalidRequest)
                    && refusal.field() == Some("wait")
                    && piece > SHORTEST_PIECE =>
            {
                longest = piece / 2;
            }
            Ok(Answer::Refused(refusal)) => return Err((*refusal).into()),
            Err(trouble) => retry.pause(trouble.of_a_read(), give_up).await?,
        }
    }
}
