//! Reports on standard error while a command waits for a lock and holds it: for people, or as JSON for programs.

use gorilla_client::{Busy, Client, Progress};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::{
    commands::{client::age, messages::tell},
    printable::in_json,
};

/// Reports about one lock, or about several that are taken together.
#[derive(Clone)]
pub struct Reporter {
    client: Client,
    names: Vec<String>,
    json: bool,
    quiet: bool,
}

impl Reporter {
    pub fn new(client: &Client, names: &[String], json: bool, quiet: bool) -> Self {
        Self { client: client.clone(), names: names.into(), json, quiet }
    }

    /// What a request calls to report how the waiting goes.
    pub fn reporting(&self) -> impl FnMut(Progress) + Send + 'static {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().report(receiver));
        move |progress| {
            // `report` goes on as long as there is a sender.
            let _ = sender.send(progress);
        }
    }

    /// The names, for people.
    pub fn names(&self) -> String {
        let quoted: Vec<_> = self.names.iter().map(|name| format!("{name:?}")).collect();
        match quoted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => quoted.concat(),
        }
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

    /// The holder of the lock that is in the way, since when it has the lock, and the queue.
    pub async fn describe(&self, busy: &Busy) -> (Value, String) {
        // Only a set needs to be told which of its locks is in the way.
        let name = match &self.names[..] {
            [name] => Some(name),
            _ => busy.resource.as_ref(),
        };
        let Some(name) = name else { return (json!({}), busy.to_string()) };
        let waiting = || json!({ "resource": name, "waiting": busy.waiting, "position": busy.position });
        let Some(holder) = &busy.holder else { return (waiting(), format!("{name:?}: {busy}")) };
        let mut facts = waiting();
        facts["owner"] = holder.owner.as_str().into();
        facts["fence"] = holder.fence.into();
        facts["ttlMs"] = (holder.ttl.as_millis() as u64).into();
        if let Some(sharing) = &busy.sharing {
            facts["mode"] = "shared".into();
            facts["used"] = sharing.used.into();
            facts["limit"] = sharing.limit.into();
            facts["holderCount"] = sharing.holder_count.into();
            return (facts, format!("{name:?}: {busy}"));
        }
        let state = self.client.state(name).await.ok().and_then(|state| state.tenure);
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
        (facts, format!("{name:?} is held by {:?}{since}{queue}", holder.owner))
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
                Progress::Trouble(why) | Progress::RenewalTrouble(why) => why.clone(),
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
                // A short outage costs the command nothing.
                Progress::RenewalTrouble(why) => self.mention("trouble", json!({ "reason": why })),
                _ => {}
            }
        }
    }

    fn line(&self, event: &str, facts: Value) {
        let mut line = match &self.names[..] {
            [name] => json!({ "event": event, "resource": name }),
            names => json!({ "event": event, "resources": names }),
        };
        if let (Some(line), Value::Object(facts)) = (line.as_object_mut(), facts) {
            line.extend(facts.into_iter().filter(|(_, value)| !value.is_null()));
        }
        eprintln!("{}", in_json(line.to_string()));
    }
}
