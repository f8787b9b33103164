//! What the commands print.

use anstream::println;
use clap::Args;
use gorilla_client::{Group, Limit, Lock, Member, Queue, State, Tenure};
use serde::Serialize;

use super::cells::{age, count, left, metadata, plain, print, shown};
use crate::printable::in_json;

/// The head of the column that has the API keys which took the locks.
const TAKEN_BY: &str = "TAKEN BY";

/// How to print.
#[derive(Args)]
pub struct Form {
    /// Print JSON with the fields of the HTTP API
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
    /// Print only what a script needs: the token of a lock that was acquired or extended
    #[arg(short, long)]
    pub quiet: bool,
}

/// Prints a value as a line of JSON.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => println!("{}", in_json(line)),
        Err(error) => eprintln!("gorilla: can't print the answer: {error}."),
    }
}

impl Form {
    /// Prints a lock for its holder, with its token.
    pub fn lock(&self, lock: &Lock) {
        if self.json {
            return json(lock);
        }
        if self.quiet {
            return println!("{}", lock.token.expose());
        }
        let mut rows =
            vec![("resource", shown(&lock.resource)), ("owner", shown(&lock.owner)), ("fence", lock.fence.to_string())];
        rows.extend(lock.by.as_ref().map(|by| ("taken by", shown(by))));
        if let Some(share) = &lock.share {
            let permits = match share.limit {
                Some(limit) => format!("{} of {limit}", share.permits),
                None => share.permits.to_string(),
            };
            rows.extend([("floor", share.floor.to_string()), ("mode", "shared".into()), ("permits", permits)]);
        }
        rows.extend([
            ("token", shown(lock.token.expose())),
            ("since", shown(&lock.created_at)),
            ("expires", format!("{}, in {:.1} s", shown(&lock.expire_at), lock.ttl.as_secs_f64())),
        ]);
        rows.extend(metadata(&lock.metadata).map(|json| ("metadata", json)));
        facts(rows);
    }

    /// Prints what every client may know about a resource.
    pub fn state(&self, state: &State) {
        if self.json {
            return json(state);
        }
        if self.quiet {
            return;
        }
        let mut rows = vec![("resource", shown(&state.resource))];
        match (&state.group, &state.tenure) {
            (Some(group), _) => {
                rows.push(("mode", "shared".into()));
                rows.push((
                    "permits",
                    match group.limit {
                        Some(limit) => format!("{} of {limit} are taken", group.used),
                        None => "no limit".into(),
                    },
                ));
                rows.push(("holders", group.holder_count.to_string()));
            }
            (None, Some(tenure)) => {
                rows.push(("owner", shown(&tenure.owner)));
                rows.extend(tenure.by.as_ref().map(|by| ("taken by", shown(by))));
                rows.push(("fence", tenure.fence.to_string()));
                rows.push(("since", format!("{}, {} ago", shown(&tenure.created_at), age(tenure))));
                rows.push(("left", left(tenure)));
                if state.breaking {
                    rows.push(("breaking", "yes: somebody broke the lock, and its holder can't extend it".into()));
                }
                rows.extend(metadata(&tenure.metadata).map(|json| ("metadata", json)));
            }
            (None, None) => rows.push(("owner", "nobody".into())),
        }
        rows.push(("waiting", state.waiting.to_string()));
        facts(rows);
        if let Some(group) = &state.group {
            println!();
            members(group);
        }
    }
}

/// Prints a table of those who share a lock.
pub fn members(group: &Group) {
    let mut table = plain();
    let metadata = |member: &Member| metadata(&member.tenure.metadata);
    let is_breaking = group.holders.iter().any(|member| member.breaking);
    let has_metadata = group.holders.iter().any(|member| metadata(member).is_some());
    let has_taker = group.holders.iter().any(|member| member.tenure.by.is_some());
    let header = ["OWNER", "PERMITS", "FENCE", "AGE"].into_iter().chain(has_metadata.then_some("METADATA"));
    let header = header.chain(["LEFT"]).chain(is_breaking.then_some("BREAKING"));
    table.set_header(header.chain(has_taker.then_some(TAKEN_BY)));
    for member in &group.holders {
        let Member { tenure, permits, .. } = member;
        let row = [shown(&tenure.owner), permits.to_string(), tenure.fence.to_string(), age(tenure)].into_iter();
        let row = row.chain(has_metadata.then(|| metadata(member).unwrap_or_default()));
        let breaking = is_breaking.then(|| if member.breaking { "yes" } else { "" }.into());
        table.add_row(row.chain([left(tenure)]).chain(breaking).chain(has_taker.then(|| taker(tenure))));
    }
    table.add_rows(others(group).map(|others| [others]));
    print(&table);
}

/// Prints a table of resources. Under a shared lock there is a line for each holder.
pub fn list(states: &[State]) {
    let mut table = plain();
    let has_taker = states.iter().any(|state| {
        let members = state.group.iter().flat_map(|group| &group.holders).map(|member| &member.tenure);
        members.chain(&state.tenure).any(|tenure| tenure.by.is_some())
    });
    let header = ["NAME", "OWNER", "FENCE", "AGE", "WAITING", "LEFT"];
    table.set_header(header.into_iter().chain(has_taker.then_some(TAKEN_BY)));
    for state in states {
        if let Some(group) = &state.group {
            let none = String::new;
            table.add_row([shown(&state.resource), taken(group), none(), none(), state.waiting.to_string(), none()]);
            for member in &group.holders {
                let mut owner = shown(&member.tenure.owner);
                if member.permits > 1 {
                    owner += &format!(", {} permits", member.permits);
                }
                let tenure = &member.tenure;
                let row = [none(), owner, tenure.fence.to_string(), age(tenure), none(), left(tenure)];
                table.add_row(row.into_iter().chain(has_taker.then(|| taker(tenure))));
            }
            table.add_rows(others(group).map(|others| [none(), others]));
        } else if let Some(tenure) = &state.tenure {
            let row = [
                shown(&state.resource),
                shown(&tenure.owner),
                tenure.fence.to_string(),
                age(tenure),
                state.waiting.to_string(),
                left(tenure),
            ];
            table.add_row(row.into_iter().chain(has_taker.then(|| taker(tenure))));
        }
    }
    print(&table);
}

/// Prints the requests that wait for a lock.
pub fn queue(queue: &Queue) {
    let mut table = plain();
    table.set_header(["POSITION", "OWNER", "MODE", "PERMITS", "WAITED"]);
    for waiter in &queue.queue {
        table.add_row([
            waiter.position.to_string(),
            shown(&waiter.owner),
            if waiter.permits.is_some() { "shared" } else { "exclusive" }.into(),
            waiter.permits.map_or_else(String::new, |permits| permits.to_string()),
            format!("{:.1} s", waiter.waited_ms as f64 / 1000.0),
        ]);
    }
    print(&table);
    let more = queue.waiting.saturating_sub(queue.queue.len() as u64);
    if more > 0 {
        println!("… and {more} more");
    }
}

/// Prints the limit of a shared lock.
pub fn limit(limit: &Limit) {
    let number = limit.limit.map_or_else(|| "none".into(), |limit| limit.to_string());
    let rows = [("resource", shown(&limit.resource)), ("limit", number)];
    facts(rows.into_iter().chain([("pinned", if limit.pinned { "yes" } else { "no" }.into())]));
}

/// The API key that took a lock, if the server tells it.
fn taker(tenure: &Tenure) -> String {
    tenure.by.as_deref().map_or_else(String::new, shown)
}

/// How much of a shared lock is taken.
fn taken(group: &Group) -> String {
    match group.limit {
        Some(limit) => format!("{} of {limit} permits taken by {}", group.used, clients(group.holder_count)),
        None => format!("shared by {}", clients(group.holder_count)),
    }
}

/// How many holders the server has not listed, if there are some.
fn others(group: &Group) -> Option<String> {
    let others = group.holder_count.saturating_sub(group.holders.len() as u64);
    (others > 0).then(|| format!("… and {others} more"))
}

/// So many clients, in words.
pub fn clients(number: u64) -> String {
    count(number, "client", "clients")
}

fn facts(rows: impl IntoIterator<Item = (&'static str, String)>) {
    let mut table = plain();
    for (name, value) in rows {
        table.add_row([name.to_string(), value]);
    }
    print(&table);
}
