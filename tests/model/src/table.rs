//! The table of the README.

use crate::{
    Bounds, Found, Search, Searched,
    bounds::{Ack, Loss},
    redis::Share,
    sets::{NAMES, Sets},
};

/// The first lines.
pub const HEAD: &str = "\
| search | bounds | states | depth | found | seconds |
|---|---|---:|---:|---|---:|
";

/// The line of a search. The seconds are last, because they alone differ from run to run.
pub fn line(search: &Search, found: &Found) -> String {
    let result = match found.broken.iter().find(|(name, _)| search.breaks == Some(*name)) {
        Some((name, steps)) => format!("breaks {} in {} steps", promise(name), steps.len()),
        None => format!("{} properties hold", found.properties),
    };
    let bounds = match &search.searched {
        Searched::Lock(protocol) => words(&protocol.bounds),
        Searched::Sets(sets) => words_of_sets(sets),
    };
    let name = search.name;
    let (states, depth, seconds) = (found.states, found.depth, found.took.as_secs_f64());
    format!("| {name} | {bounds} | {states} | {depth} | {result} | {seconds:.1} |")
}

/// A property begins with the number of its promise.
fn promise(property: &str) -> String {
    match property.split_once(' ') {
        Some(("6", _)) => "the order".into(),
        Some(("7", _)) => "the calling".into(),
        Some((number, _)) => format!("promise {number}"),
        None => property.into(),
    }
}

/// The bounds that every search has, and then those of its own.
fn words(bounds: &Bounds) -> String {
    let counted = [
        (bounds.clients, "client"),
        (bounds.replicas, "replica"),
        (bounds.attempts, "attempt"),
        (bounds.extends, "extend"),
        (bounds.unknowns, "unknown"),
        (bounds.cuts, "cut"),
        (bounds.give_ups, "give-up"),
        (bounds.repeats, "repeat"),
        (bounds.crashes, "crash"),
    ];
    let mut words = in_words(&counted);
    if !bounds.modes.is_empty() {
        let mode = |share: &Option<Share>| match share {
            None => "alone".into(),
            Some(Share { permits, limit: None }) => format!("shares {permits}"),
            Some(Share { permits, limit: Some(limit) }) => format!("{permits} of {limit}"),
        };
        words.push(format!("({})", bounds.modes.iter().map(mode).collect::<Vec<String>>().join("; ")));
    }
    words.push(format!("leases of {} in {} ticks", bounds.lease, bounds.horizon));
    let said = [
        (bounds.keyed, "keys"),
        (bounds.waits, "waits"),
        (bounds.converts, "conversions"),
        (!bounds.releases, "no releases"),
        (!bounds.retries_refusals, "refusals are final"),
        (bounds.slow_answers, "slow answers"),
        (bounds.loss == Loss::OldMasterDies, "failover"),
        (bounds.loss == Loss::SplitBrain, "split brain"),
        (bounds.loss == Loss::RestartsEmpty, "data lost"),
        (bounds.clock_behind > 0, "clock behind"),
        (bounds.grace.is_some_and(|grace| grace.for_replays), "grace"),
        (bounds.grace.is_some_and(|grace| !grace.for_replays), "grace but not for replays"),
        (bounds.ack == Ack::Acquires, "ack of acquires"),
        (bounds.ack == Ack::All, "ack"),
    ];
    words.extend(said.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.into()));
    words.join(", ")
}

/// The bounds of a search of sets.
fn words_of_sets(sets: &Sets) -> String {
    let wants = |set: &&[usize]| set.iter().map(|resource| NAMES[*resource]).collect::<Vec<_>>().join(", ");
    let wants: Vec<_> = sets.wants.iter().map(wants).collect();
    let mut words = vec![format!("({})", wants.join("; "))];
    words.extend(in_words(&[
        (sets.rounds, "round"),
        (sets.unknowns, "unknown"),
        (sets.give_ups, "give-up"),
        (sets.breaks, "break"),
        (sets.crashes, "crash"),
    ]));
    words.push(format!("holds of {} and leases of {} in {} ticks", sets.hold, sets.lease, sets.horizon));
    words.join(", ")
}

/// How many of each there are, but for those that there aren't.
fn in_words(counted: &[(u8, &str)]) -> Vec<String> {
    let plural = |count| if count == 1 { "" } else { "s" };
    let counted = counted.iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, what)| format!("{count} {what}{}", plural(*count))).collect()
}
