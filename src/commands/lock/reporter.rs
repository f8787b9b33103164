//! Reports on standard error while a command waits for a lock and holds it: for people, or as JSON for programs.

use gorilla_client::{Busy, Client, LockRequest, Progress};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::{
    commands::{client::age, messages::tell},
    printable::in_json,
};

/// Reports about one lock.
#[derive(Clone)]
pub struct Reporter {
    client: Client,
    name: String,
    json: bool,
    quiet: bool,
}

impl Reporter {
    pub fn new(client: &Client, name: &str, json: bool, quiet: bool) -> Self {
        Self { client: client.clone(), name: name.into(), json, quiet }
    }

    /// A request that reports how the waiting goes.
    pub fn reporting(&self, request: LockRequest) -> LockRequest {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().report(receiver));
        request.on_progress(move |progress| {
            // `report` goes on as long as there is a sender.
            let _ = sender.send(progress);
        })
    }

    /// Reports an event only with `--json`: nobody wants a mail from cron for each run.
    pub fn mention(&self, event: &str, facts: Value) {
        if self.json {
            self.line(event, facts);
        }
    }

    /// Reports an event, unless the user asked for `--quiet`.
    pub fn say(&self, event: &str, facts: Value, sentence: &str) {
        match self.json {
            true => self.line(event, facts),
            false if self.quiet => {}
            false => tell(sentence),
        }
    }

    /// Reports an event that a person must know, also with `--quiet`.
    pub fn warn(&self, event: &str, facts: Value, sentence: &str) {
        match self.json {
            true => self.line(event, facts),
            false => tell(sentence),
        }
    }

    /// The holder of the lock, since when it has the lock, and the queue.
    pub async fn describe(&self, busy: &Busy) -> (Value, String) {
        let waiting = || json!({ "waiting": busy.waiting, "position": busy.position });
        let Some(holder) = &busy.holder else { return (waiting(), format!("{:?}: {busy}", self.name)) };
        let mut facts = waiting();
        facts["owner"] = holder.owner.as_str().into();
        facts["fence"] = holder.fence.into();
        facts["ttlMs"] = (holder.ttl.as_millis() as u64).into();
        if let Some(sharing) = &busy.sharing {
            facts["mode"] = "shared".into();
            facts["used"] = sharing.used.into();
            facts["limit"] = sharing.limit.into();
            facts["holderCount"] = sharing.holder_count.into();
            return (facts, format!("{:?}: {busy}", self.name));
        }
        let state = self.client.state(&self.name).await.ok().and_then(|state| state.tenure);
        let tenure = state.filter(|tenure| tenure.fence == holder.fence);
        let since = tenure.map_or_else(String::new, |tenure| {
            facts["createdAt"] = tenure.created_at.as_str().into();
            format!(" since {}, for {}", tenure.created_at, age(&tenure))
        });
        let queue = match busy.position {
            Some(position) => format!("; position {position} of {} in the queue", busy.waiting.max(position)),
            None if busy.waiting > 0 => format!("; {} waiting", busy.waiting),
            None => String::new(),
        };
        (facts, format!("{:?} is held by {:?}{since}{queue}", self.name, holder.owner))
    }

    async fn report(self, mut progress: UnboundedReceiver<Progress>) {
        let mut last = None;
        while let Some(news) = progress.recv().await {
            let what = match &news {
                Progress::Waiting(busy) => {
                    // Those who share a lock may come and go all the time.
                    let holder = busy.holder.as_ref().filter(|_| busy.sharing.is_none()).map(|holder| holder.fence);
                    format!("{} {holder:?} {:?}", busy.sharing.is_some(), busy.position)
                }
                Progress::Trouble(why) => why.clone(),
                _ => continue,
            };
            if last.as_ref() == Some(&what) {
                continue;
            }
            last = Some(what);
            match news {
                Progress::Waiting(busy) => {
                    let (facts, sentence) = self.describe(&busy).await;
                    self.say("waiting", facts, &format!("waiting: {sentence}."));
                }
                Progress::Trouble(why) => {
                    self.say("trouble", json!({ "reason": why }), &format!("{why}; trying again."))
                }
                _ => {}
            }
        }
    }

    fn line(&self, event: &str, facts: Value) {
        let mut line = json!({ "event": event, "resource": self.name });
        if let (Some(line), Value::Object(facts)) = (line.as_object_mut(), facts) {
            line.extend(facts.into_iter().filter(|(_, value)| !value.is_null()));
        }
        eprintln!("{}", in_json(line.to_string()));
    }
}
