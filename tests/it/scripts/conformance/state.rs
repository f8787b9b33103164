//! The keys of a resource, in Redis and in the model, as lines that can be compared.

use std::collections::BTreeSet;

use gorilla_model::redis::{Group, Id, Limit, Name, Outcome, Place, Record, Redis as Model, SETS, Share, Token};
use serde_json::json;

/// The keys of a resource as lines, and before them the time.
pub(super) const KEYS: &str = "
    local time, lines = redis.call('TIME'), {}
    local function put(...) lines[#lines + 1] = table.concat({...}, ' ') end
    put(string.format('%.0f', time[1] * 1000000 + time[2]))
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
        local what = string.sub(key, #ARGV[1] + 1)
        if what == 'lock' and redis.call('HEXISTS', key, 'mode') == 1 then
            local holders = ARGV[1] .. 'holders'
            local members = redis.call('ZRANGE', holders, 0, -1, 'WITHSCORES')
            for index = 1, #members, 2 do
                local id = string.match(members[index], '^%S+')
                put('holder', members[index], members[index + 1], redis.call('HGET', key, id))
            end
            local all = redis.call('HMGET', key, 'used', 'limit', 'floor', 'bound', 'reserved', 'owner', 'fence')
            local others = redis.call('HLEN', key) - #members / 2
            put('group', others, redis.call('PEXPIRETIME', key), redis.call('PEXPIRETIME', holders), unpack(all))
        elseif what == 'lock' then
            local fields = redis.call('HMGET', key, 'id', 'token', 'owner', 'fence', 'created', 'updated')
            put('lock', redis.call('PEXPIRETIME', key), unpack(fields))
        elseif what == 'holders' then
            if redis.call('HEXISTS', ARGV[1] .. 'lock', 'mode') == 0 then put('holders of nothing') end
        elseif what == 'queue' then
            local places = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
            for index = 1, #places, 2 do put('place', places[index + 1], places[index]) end
        elseif what == 'broken' then
            for _, value in ipairs(redis.call('HVALS', key)) do put('broken', cjson.decode(value)[1]) end
        else
            put(what, redis.call('GET', key))
        end
    end
    return lines";

pub(super) fn attempt(id: Id) -> String {
    format!("attempt-{id:02}")
}

/// As that of a holder of a shared lock; that of a holder that has the lock alone may have any form.
pub(super) fn token(token: Token) -> String {
    format!("{}.{}", attempt(token.tenure), secret(token))
}

pub(super) fn secret(token: Token) -> String {
    format!("secret-{}", token.number)
}

pub(super) fn owner(id: Id) -> String {
    format!("owner-of-{}", attempt(id))
}

/// What a request wants of a shared lock, as in a place.
pub(super) fn share(share: Share) -> String {
    format!("*{}/{}", share.permits, share.limit.map(|limit| limit.to_string()).unwrap_or_default())
}

pub(super) fn limit(limit: Option<u8>) -> String {
    limit.map_or("none".into(), |limit| limit.to_string())
}

pub(super) fn member(id: Id, channel: u8, wants: Option<Share>) -> String {
    format!("{}{} gorilla:wake:{channel} {}", attempt(id), wants.map(share).unwrap_or_default(), owner(id))
}

/// The name of a record.
pub(super) fn record(name: Name) -> String {
    match name {
        Name::Key(key) => format!("key-{key}"),
        Name::Attempt(id) => attempt(id),
    }
}

/// The Idempotency-Key that names a record, if the id of an attempt doesn't.
pub(super) fn key(name: Name) -> Option<String> {
    matches!(name, Name::Key(_)).then(|| record(name))
}

pub(super) fn request(name: Name) -> String {
    format!("request:{}", record(name))
}

pub(super) fn print(fingerprint: u8) -> String {
    if fingerprint < SETS { format!("print-{fingerprint}") } else { format!("set:print-{fingerprint}") }
}

/// The model's keys, in the form of [`KEYS`].
pub(super) fn lines(model: &Model) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    if let Some(lock) = &model.lock {
        let (id, token, owner) = (attempt(lock.id), token(lock.token), owner(lock.owner));
        let (fence, created, updated) = (lock.fence, lock.created, lock.updated.0);
        lines.insert(format!("lock {} {id} {token} {owner} {fence} {created} {updated}", lock.expires));
    }
    lines.extend(model.group.iter().flat_map(group));
    lines.extend(model.limit.map(|of| match of {
        Limit::Pinned(number) => format!("limit pinned {number}"),
        Limit::Named(number) => format!("limit {}", limit(number)),
    }));
    if model.fence > 0 {
        lines.insert(format!("fence {}", model.fence));
    }
    let place = |place: &Place| format!("place {} {}", place.arrived, member(place.id, place.channel, place.share));
    lines.extend(model.queue.iter().map(place));
    if let Some(turn) = &model.turn {
        lines.insert(format!("queue:turn {} {}", turn.since, attempt(turn.id)));
    }
    lines.extend(model.broken.values().map(|at| format!("broken {at}")));
    lines.extend(model.requests.iter().map(|(name, record)| format!("{} {}", request(*name), fields(record))));
    lines
}

/// The fields of a group that are not holders.
const TOGETHER: usize = 8;

fn group(group: &Group) -> Vec<String> {
    let holder = |(id, its): (&Id, &gorilla_model::redis::Member)| {
        let (id, owner, secret) = (attempt(*id), owner(its.owner), secret(its.token));
        let (permits, bytes) = (its.permits, owner.len());
        let times = format!("{} {}", its.created, its.updated);
        format!("holder {id} {permits} {} {secret} {} {permits} {times} {bytes} {owner} []", its.expires, its.fence)
    };
    let Group { used, floor, bound, reserved, .. } = group;
    let (last, limit) = (group.last(), limit(group.limit));
    let (ends, owner, fence) = (last.expires, owner(last.owner), last.fence);
    let all = format!("group {TOGETHER} {ends} {ends} {used} {limit} {floor} {bound} {reserved} {owner} {fence}");
    group.members.iter().map(holder).chain([all]).collect()
}

/// A record as its script writes it, and then the marks, sorted.
fn fields(record: &Record) -> String {
    let print = |fingerprint: &u8| print(*fingerprint);
    let mut fields = match &record.outcome {
        Outcome::Cancelled => vec!["cancelled".into()],
        Outcome::Waiting { fingerprint, place: Place { arrived, id, channel, share } } => {
            vec!["waiting".into(), print(fingerprint), arrived.to_string(), member(*id, *channel, *share)]
        }
        Outcome::Acquired { fingerprint, id, token: its, fence, created, ends } => {
            let (id, its) = (attempt(*id), token(*its));
            let facts = ["acquired".into(), print(fingerprint), id, its, fence.to_string(), created.to_string()];
            facts.into_iter().chain(ends.map(|ends| ends.to_string())).collect()
        }
        Outcome::Extended { fingerprint, id, token: its, updated } => {
            vec!["extended".into(), print(fingerprint), attempt(*id), token(*its), updated.to_string()]
        }
        Outcome::Released { fingerprint } => vec!["released".into(), print(fingerprint)],
        Outcome::Broken { fingerprint, id, owner: its, fence } => {
            vec!["broken".into(), print(fingerprint), attempt(*id), owner(*its), fence.to_string()]
        }
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
        true => line.split(['*', ' ']).take(3).collect::<Vec<_>>().join(" "),
        false => line.into(),
    }
}
