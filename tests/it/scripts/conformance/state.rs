//! The keys of a resource, in Redis and in the model, as lines that can be compared.

use std::collections::BTreeSet;

use gorilla_model::redis::{Id, Name, Outcome, Place, Record, Redis as Model, Token};
use serde_json::json;

/// The keys of a resource as lines, and before them the time.
pub(super) const KEYS: &str = "
    local time, lines = redis.call('TIME'), {}
    local function put(...) lines[#lines + 1] = table.concat({...}, ' ') end
    put(string.format('%.0f', time[1] * 1000000 + time[2]))
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
        local what = string.sub(key, #ARGV[1] + 1)
        if what == 'lock' then
            local fields = redis.call('HMGET', key, 'id', 'token', 'metadata', 'fence', 'created')
            put('lock', fields[1], fields[2], fields[3], fields[4], fields[5], redis.call('PEXPIRETIME', key))
        elseif what == 'queue' then
            local places = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
            for index = 1, #places, 2 do put('place', places[index + 1], places[index]) end
        else
            put(what, redis.call('GET', key))
        end
    end
    return lines";

pub(super) fn attempt(id: Id) -> String {
    format!("attempt-{id:02}")
}

pub(super) fn token(token: Token) -> String {
    format!("token-{:02}-{}", token.tenure, token.number)
}

/// The metadata of a lock; 0 for what all acquires say.
pub(super) fn metadata(number: u8) -> String {
    if number == 0 { "[]".into() } else { format!("[{number}]") }
}

pub(super) fn member(id: Id, channel: u8) -> String {
    format!("{} gorilla:wake:{channel} owner-of-{}", attempt(id), attempt(id))
}

/// The name of a record.
pub(super) fn record(name: Name) -> String {
    match name {
        Name::Key(key) => format!("key-{key}"),
        Name::Attempt(id) => attempt(id),
    }
}

pub(super) fn request(name: Name) -> String {
    format!("request:{}", record(name))
}

pub(super) fn print(fingerprint: u8) -> String {
    format!("print-{fingerprint}")
}

/// The model's keys, in the form of [`KEYS`].
pub(super) fn lines(model: &Model) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    if let Some(lock) = &model.lock {
        let (id, token, metadata) = (attempt(lock.id), token(lock.token), metadata(lock.metadata));
        lines.insert(format!("lock {id} {token} {metadata} {} {} {}", lock.fence, lock.created, lock.expires));
    }
    if model.fence > 0 {
        lines.insert(format!("fence {}", model.fence));
    }
    let places = model.queue.iter().map(|place| format!("place {} {}", place.arrived, member(place.id, place.channel)));
    lines.extend(places);
    if let Some(turn) = &model.turn {
        lines.insert(format!("queue:turn {} {}", turn.since, attempt(turn.id)));
    }
    lines.extend(model.requests.iter().map(|(name, record)| format!("{} {}", request(*name), fields(record))));
    lines
}

/// A record as its script writes it, and then the marks, sorted.
fn fields(record: &Record) -> String {
    let print = |fingerprint: &u8| print(*fingerprint);
    let mut fields = match &record.outcome {
        Outcome::Cancelled => vec!["cancelled".into()],
        Outcome::Waiting { fingerprint, place: Place { arrived, id, channel } } => {
            vec!["waiting".into(), print(fingerprint), arrived.to_string(), member(*id, *channel)]
        }
        Outcome::Acquired { fingerprint, id, token: its, fence, created } => {
            let (id, its) = (attempt(*id), token(*its));
            vec!["acquired".into(), print(fingerprint), id, its, fence.to_string(), created.to_string()]
        }
        Outcome::Extended { fingerprint, id, token: its, updated } => {
            vec!["extended".into(), print(fingerprint), attempt(*id), token(*its), updated.to_string()]
        }
        Outcome::Released { fingerprint } => vec!["released".into(), print(fingerprint)],
    };
    let told = record.told.difference(&record.cancelled);
    fields.extend(told.map(|id| format!("+{}", attempt(*id))));
    fields.extend(record.cancelled.iter().map(|id| format!("-{}", attempt(*id))));
    json!(fields).to_string()
}

/// Sorts the marks of a record, and leaves of a turn since when and whose it is.
pub(super) fn in_order(line: &str) -> String {
    if let Some((key, record)) = line.split_once(' ').filter(|(key, _)| key.starts_with("request:")) {
        let mut fields: Vec<String> = serde_json::from_str(record).expect("a record is a JSON list of strings");
        fields.sort_by_key(|field| match field.chars().next() {
            sign @ Some('+' | '-') => (sign, field.clone()),
            _ => (None, String::new()),
        });
        return format!("{key} {}", json!(fields));
    }
    match line.starts_with("queue:turn ") {
        true => line.split(' ').take(3).collect::<Vec<_>>().join(" "),
        false => line.into(),
    }
}
