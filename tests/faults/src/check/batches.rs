//! An item of a batch is the single call: the answer tells of each item, in their order, what came of that item and no other;
//! items of one resource are done in their order; and what the answer says that Redis did, Redis did.

use std::collections::HashMap;

use super::Violation;
use crate::history::{Batch, End, Event, History, Item, ItemResult, Kind, Moment};

pub(super) fn check(history: &History, found: &mut Vec<Violation>) {
    let stood = history.events.iter().filter_map(|event| match event {
        Event::Stood { resource, fence, until, .. } => Some(((resource.as_str(), *fence), *until)),
        _ => None,
    });
    let mut last_seen: HashMap<_, Moment> = HashMap::new();
    for (grant, until) in stood {
        let last = last_seen.entry(grant).or_default();
        *last = until.max(*last);
    }
    for batch in history.batches() {
        tells_of_all(batch, found);
        let ends = ends(batch);
        for (index, (item, end)) in batch.items.iter().zip(&ends).enumerate() {
            in_order(batch, index, &ends, found);
            let until = last_seen.get(&(item.resource.as_str(), item.fence)).copied().unwrap_or_default();
            if item.kind == Kind::Release && matches!(end, Some(End::Done(_))) && batch.answered < until {
                let (resource, fence) = (item.resource.clone(), item.fence);
                found.push(Violation::ItemUndone { resource, fence, answered: batch.answered, until });
            }
        }
    }
}

/// How each item ended; a success that a brief answer leaves out is done.
fn ends(batch: &Batch) -> Vec<Option<End>> {
    let result = |index| batch.results.iter().find(|result| result.index == index);
    let left_out = |item: &Item| match item.kind {
        Kind::Release => End::Done(crate::history::Grant::default()),
        _ => End::Done(crate::history::Grant { fence: item.fence, token: item.token, ..Default::default() }),
    };
    let end = |(index, item)| match result(index) {
        Some(result) => Some(result.end),
        None => batch.brief.then(|| left_out(item)),
    };
    (0..).zip(&batch.items).map(end).collect()
}

/// Each item has its result, in order, and the counts fit.
fn tells_of_all(batch: &Batch, found: &mut Vec<Violation>) {
    let is_done = |result: &&ItemResult| matches!(result.end, End::Done(_));
    let is_unknown = |result: &&ItemResult| result.unknown;
    let indices: Vec<_> = batch.results.iter().map(|result| result.index).collect();
    let all = batch.items.len() as u64;
    let is_in_order = match batch.brief {
        false => indices == (0..all).collect::<Vec<_>>(),
        true => indices.is_sorted_by(|one, next| one < next) && !batch.results.iter().any(|result| is_done(&result)),
    };
    let unknown = batch.results.iter().filter(is_unknown).count() as u64;
    let failed = batch.results.iter().filter(|result| !is_done(result) && !is_unknown(result)).count() as u64;
    let told = [all.saturating_sub(failed + unknown), failed, unknown];
    if !is_in_order || batch.counts != told || indices.last().is_some_and(|last| *last >= all) {
        found.push(Violation::BatchMistold { asked: batch.asked, items: all, results: indices, counts: batch.counts });
    }
    for result in &batch.results {
        let Some(item) = usize::try_from(result.index).ok().and_then(|index| batch.items.get(index)) else { continue };
        if !is_about(item, result) {
            let (resource, index) = (item.resource.clone(), result.index);
            found.push(Violation::OtherItem { resource, index, asked: batch.asked, told: format!("{:?}", result.end) });
        }
    }
}

/// Whether a result can be that of the item.
fn is_about(item: &Item, result: &ItemResult) -> bool {
    let same = result.resource.as_ref().is_none_or(|resource| *resource == item.resource);
    same && match (item.kind, result.end) {
        (Kind::Release, End::Done(grant)) => grant == crate::history::Grant::default(),
        (_, End::Done(grant)) => grant.fence == item.fence && (grant.token == item.token) == item.keeps,
        _ => true,
    }
}

/// Of items with one token the earlier is done first: what it ends or replaces does nothing for a later item, and a token
/// that was refused is not good afterwards.
fn in_order(batch: &Batch, index: usize, ends: &[Option<End>], found: &mut Vec<Violation>) {
    let later = &batch.items[index];
    if !matches!(ends[index], Some(End::Done(_))) {
        return;
    }
    let ended = |(earlier, end): &(&Item, &Option<End>)| {
        (&earlier.resource, earlier.token) == (&later.resource, later.token)
            && match end {
                Some(End::Done(_)) => earlier.kind == Kind::Release || !earlier.keeps,
                Some(End::Refused) => true,
                _ => false,
            }
    };
    if batch.items[..index].iter().zip(ends).any(|pair| ended(&pair)) {
        let (resource, fence) = (later.resource.clone(), later.fence);
        found.push(Violation::OutOfOrder { resource, fence, index: index as u64, asked: batch.asked });
    }
}
