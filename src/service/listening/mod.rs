//! Listen to what happens to locks: a caller is told the events that pass its filter and that it may see.

mod ending;
mod filter;
mod happened;
mod standing;

use std::time::Duration;

use chrono::{DateTime, Utc};
use gorilla_domain::{
    List, Page, ResourceName, Scope, State, Verb,
    event::{Cursor, Missed},
};
use gorilla_wire::Bye;
use tokio::time::{Instant, sleep_until};

use super::{base::Service, caller::Caller, refusal::Refusal};
use crate::events::{End, History, ListenError, Listener, Told};
use ending::Ending;
pub(super) use ending::Ends;
pub use filter::{Filter, Kinds};
pub use happened::Happened;
use standing::Standing;

/// How many holders of a shared lock a state in a stream tells.
const HOLDERS: u64 = 100;

/// What a caller is told.
#[derive(Debug)]
pub enum Heard {
    /// Something happened.
    Event(Happened),
    /// Events are missing here.
    Missed(Missed),
    /// Nothing before this position is left to be told.
    Bookmark(Cursor),
    /// Nothing more is told.
    Bye(Bye),
}

/// What has happened to a lock.
#[derive(Debug)]
pub struct Past {
    /// The newest first.
    pub events: Vec<Happened>,
    /// Since when Redis has recorded; `None` if it records nothing.
    pub recorded_since: Option<DateTime<Utc>>,
    /// What is older comes before this; `None` if nothing is.
    pub before: Option<Cursor>,
}

/// Somebody who listens.
pub struct Listening {
    listener: Listener,
    filter: Filter,
    standing: Standing,
    ending: Ending,
    /// When the listener is told that the replica is about to end.
    ends_at: Option<Instant>,
}

impl Service {
    /// Begins to tell what happens to locks, from now on or after a cursor. The caller needs the right to follow the
    /// events of each lock that the filter names, or of some lock if it names none.
    pub async fn listen(&self, caller: &Caller, filter: Filter, since: Option<Cursor>) -> Result<Listening, Refusal> {
        for resource in filter.resources() {
            self.permit(caller, Verb::Events, resource)?;
        }
        self.noted(caller, caller.scope(Verb::Events).map_err(Refusal::from))?;
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        let standing = Standing::new(self.access.clone(), caller, &filter);
        let listener = self.feed.listen(since).await.map_err(|error| match error {
            ListenError::Full => Refusal::TooManyListeners,
            ListenError::Off => Refusal::EventsOff,
            ListenError::Draining => Refusal::Draining,
            ListenError::Failed(failure) => Refusal::Store(failure),
        })?;
        Ok(Listening { listener, filter, standing, ending: self.ends.subscribe(), ends_at: None })
    }

    /// What Redis still has of the events of a lock, newest first.
    pub async fn history(
        &self,
        caller: &Caller,
        resource: &ResourceName,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Past, Refusal> {
        self.permit(caller, Verb::Events, resource)?;
        let History { events, recorded_since, before } = self.feed.history(resource, before, limit).await?;
        let shows_takers = caller.may_inspect(resource);
        let events = events.into_iter().map(|event| Happened::new(event, shows_takers)).collect();
        Ok(Past { events, recorded_since, before })
    }

    /// The state of a lock whose events the caller follows.
    pub async fn followed(&self, caller: &Caller, resource: &ResourceName) -> Result<State, Refusal> {
        self.permit(caller, Verb::Events, resource)?;
        Ok(caller.shown(resource, self.store.inspect(resource, HOLDERS).await?))
    }

    /// A page of the held locks whose events the caller may follow.
    pub async fn all_followed(&self, caller: &Caller, asked: List) -> Result<Page, Refusal> {
        let scope = self.noted(caller, caller.scope(Verb::Events).map_err(Refusal::from))?;
        let scope = scope.map(|scope| scope.within(&asked.prefix));
        if scope.as_ref().is_some_and(Scope::is_empty) {
            return Ok(Page { locks: Vec::new(), scope, next: None });
        }
        let page = self.store.list(&List { scope, ..asked }).await?;
        Ok(Page { locks: caller.all_shown(page.locks), ..page })
    }

    /// The replica is about to end: all who listen are told so within this time, spread over it.
    pub fn end_listening(&self, within: Duration) {
        self.ends.within(within);
    }

    /// The time of Redis.
    pub async fn time(&self) -> Result<DateTime<Utc>, Refusal> {
        Ok(self.store.time().await?)
    }

    /// The id of this replica, as long as it runs.
    pub fn replica(&self) -> &str {
        self.store.replica()
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.feed.listeners()
    }
}

impl Listening {
    /// The next thing to tell. Cancel safe.
    pub async fn next(&mut self) -> Heard {
        loop {
            // Before each event: none may be told that the caller may not see any more.
            if !self.standing.holds() {
                return Heard::Bye(Bye::Rights);
            }
            self.ends_at = self.ending.news().or(self.ends_at);
            let end = async {
                match self.ends_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let told = tokio::select! {
                biased;
                () = self.standing.changed() => continue,
                () = self.ending.changed() => continue,
                () = end => return Heard::Bye(Bye::Draining),
                told = self.listener.next() => told,
            };
            match told {
                Told::Event(event) => {
                    let resource = &event.event.resource;
                    if self.filter.passes(&event.event) && self.standing.may_see(resource) {
                        let shows_takers = self.standing.caller().may_inspect(resource);
                        return Heard::Event(Happened::new(event, shows_takers));
                    }
                }
                Told::Missed(why) => return Heard::Missed(why),
                Told::Bookmark(cursor) => return Heard::Bookmark(cursor),
                Told::End(End::Slow) => return Heard::Bye(Bye::Slow),
                Told::End(End::Draining) => return Heard::Bye(Bye::Draining),
            }
        }
    }

    /// The caller, with the rights that it has now.
    pub fn caller(&self) -> &Caller {
        self.standing.caller()
    }

    /// What is told.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Where the listener stands.
    pub fn cursor(&self) -> Cursor {
        self.listener.cursor()
    }

    /// Whether what happened after the cursor that was given is told without a gap.
    pub fn resumed(&self) -> bool {
        self.listener.resumed()
    }

    /// Since when Redis has recorded, as far as that is known.
    pub fn recorded_since(&self) -> Option<DateTime<Utc>> {
        self.listener.recorded_since()
    }

    /// Whether an `expired` may be late.
    pub fn expiries_are_late(&self) -> bool {
        self.listener.expiries_are_late()
    }
}
