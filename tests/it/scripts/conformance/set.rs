//! A call of `take_all` in the conformance test, for parts of which each is on a resource of its own, and the same in the
//! model.

use gorilla_model::{
    redis::{Redis as Model, Us},
    scripts::{TakeAll, take_all},
};
use gorilla_scripts::{self as calls, Call, Request};

use super::{
    state::{attempt, owner, print, record, token},
    step::{env, words},
};
use crate::scripts::{Lab, replies_in_header, text};

/// What Redis replies.
pub(super) fn run(call: &TakeAll, labs: &[&Lab]) -> Vec<String> {
    let (ids, tokens): (Vec<_>, Vec<_>) = call.parts.iter().map(|(id, its)| (attempt(*id), token(*its))).unzip();
    let (owner, channel) = (owner(call.owner), format!("gorilla:wake:{}", call.channel));
    let (request, print) = call.once.map(|(name, mark)| (record(name), print(mark))).unzip();
    let of = |parts: std::ops::Range<usize>| calls::TakeAll {
        ids: ids[parts.clone()].iter().map(String::as_str).collect(),
        tokens: tokens[parts].iter().map(String::as_str).collect(),
        owner: &owner,
        metadata: "[]",
        lease: call.lease,
        request: request.as_deref(),
        print: print.as_deref(),
        channel: &channel,
        by: None,
    };
    let locks: Vec<_> = labs.iter().map(|lab| lab.key("lock")).collect();
    let mut touched = Vec::new();
    for (index, lock) in locks.iter().enumerate() {
        touched.extend(of(index..index + 1).touches().into_iter().map(|sibling| sibling.key(lock)));
    }
    let mut locks = locks.into_iter();
    let set = Request::new(&labs[0].scripts, locks.next(), &of(0..ids.len()));
    let set = locks.fold(set, |set, lock| set.and(Some(lock)));
    let reply: Vec<_> = labs[0].send(&[set], &touched).split('\n').map(String::from).collect();
    let name = calls::TakeAll::NAME;
    assert!(replies_in_header(&text(name)).contains(&reply[0]), "the header of {name} has no {reply:?}");
    reply
}

/// What the model replies, at that time.
pub(super) fn expect(call: &TakeAll, models: &mut [Model], now: Us) -> Vec<String> {
    words(&take_all(&mut models.iter_mut().collect::<Vec<_>>(), &env(now), call))
}
