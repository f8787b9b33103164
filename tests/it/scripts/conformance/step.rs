//! A step of the conformance test: a call of a script, and the same in the model.

use std::time::Duration;

use gorilla_model::{
    redis::{Id, Name, Redis as Model, Us},
    scripts::{self, Acquire, Arrived, Cancel, Env, Extend, Release, Reply},
};
use gorilla_scripts::{self as calls, Call};
use serde_json::json;

use super::state::{attempt, member, metadata, print, record, request, token};
use crate::scripts::{Lab, skew};

/// As long as no run is.
pub(super) const WINDOW: Duration = Duration::from_secs(7200);
/// As in `lua/lib/turn.lua`.
pub(super) const TURN: u64 = 1000;
pub(super) const ROOM: usize = 3;

/// A call of a script.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Acquire(Acquire),
    Cancel(Cancel, u8),
    Extend(Extend),
    Release(Release),
    /// A release that takes a claim along.
    Handover(Release, Acquire),
    Wake,
}

impl Step {
    pub(super) fn script(&self) -> &'static str {
        match self {
            Step::Acquire(call) if call.arrived == Arrived::Not => calls::Try::NAME,
            Step::Acquire(_) => calls::Claim::NAME,
            Step::Cancel(..) => "cancel",
            Step::Extend(_) => "extend",
            Step::Release(_) => "release",
            Step::Handover(..) => "handover",
            Step::Wake => "wake",
        }
    }

    /// What Redis replies.
    pub(super) fn run(&self, lab: &Lab) -> Vec<String> {
        let once = |once: Option<(Name, u8)>| once.map(|(name, mark)| (record(name), print(mark))).unzip();
        match self {
            Step::Acquire(call) => with_arguments(call, |asked, arrived| match call.arrived {
                Arrived::Not => lab.run(&calls::Try(asked)),
                Arrived::Unknown | Arrived::At(_) => lab.run(&calls::Claim { asked, arrived }),
            }),
            Step::Cancel(call, channel) => {
                let (id, request) = (attempt(call.id), record(call.request));
                let (owner, channel) = (format!("owner-of-{id}"), format!("gorilla:wake:{channel}"));
                lab.run(&calls::Cancel { id: &id, owner: &owner, channel: &channel, request: &request, share: None })
            }
            Step::Extend(call) => {
                let (old, new, (request, print)) = (token(call.token), token(call.new_token), once(call.once));
                let (request, print, said) = (request.as_deref(), print.as_deref(), call.metadata.map(metadata));
                let (lease, metadata) = (call.lease, said.as_deref());
                lab.run(&calls::Extend { token: &old, new_token: &new, lease, metadata, request, print })
            }
            Step::Release(call) => {
                let (token, (request, print)) = (token(call.token), once(call.once));
                lab.run(&calls::Release { token: &token, request: request.as_deref(), print: print.as_deref() })
            }
            Step::Handover(release, claim) => {
                let (token, (request, print)) = (token(release.token), once(release.once));
                let release = calls::Release { token: &token, request: request.as_deref(), print: print.as_deref() };
                with_arguments(claim, |asked, arrived| {
                    lab.run(&calls::Handover { release, claim: calls::Claim { asked, arrived } })
                })
            }
            Step::Wake => lab.run(&calls::Wake {}),
        }
    }

    /// Whether version 0.1 takes such a step too.
    pub(super) fn is_of_0_1(&self) -> bool {
        match self {
            Step::Handover(..) => false,
            Step::Extend(call) => call.metadata.is_none(),
            _ => true,
        }
    }

    /// What Redis replies to the same step of version 0.1.
    pub(super) fn run_old(&self, lab: &Lab) -> Vec<String> {
        let window = WINDOW.as_millis().to_string();
        let mark = |once: Option<(Name, u8)>| once.map(|(_, mark)| print(mark)).unwrap_or_default();
        let own = |once: Option<(Name, u8)>| once.map(|(name, _)| request(name));
        match self {
            Step::Acquire(call) => {
                let arrived = match call.arrived {
                    Arrived::Not => String::new(),
                    Arrived::Unknown => "?".into(),
                    Arrived::At(when) => when.to_string(),
                };
                let args = [
                    attempt(call.id),
                    token(call.token),
                    format!("owner-of-{}", attempt(call.id)),
                    "[]".into(),
                    call.lease.to_string(),
                    window.clone(),
                    call.fingerprint.map(print).unwrap_or_default(),
                    window.clone(),
                    if call.wait { window.clone() } else { "0".into() },
                    format!("gorilla:wake:{}", call.channel),
                    arrived,
                    ROOM.to_string(),
                    window.clone(),
                    window,
                    "0".into(),
                ];
                skew::run(lab, "acquire", &["lock", "fence", "queue", "queue:turn"], Some(request(call.request)), &args)
            }
            Step::Cancel(call, channel) => {
                let args = [attempt(call.id), member(call.id, *channel), window.clone(), window];
                skew::run(lab, "cancel", &["lock", "queue", "queue:turn"], Some(request(call.request)), &args)
            }
            Step::Extend(call) => {
                let (lease, mark) = (call.lease.to_string(), mark(call.once));
                let args = [token(call.token), token(call.new_token), lease, window.clone(), mark, window];
                skew::run(lab, "extend", &["lock", "fence"], own(call.once), &args)
            }
            Step::Release(call) => {
                let args = [token(call.token), mark(call.once), window];
                skew::run(lab, "release", &["lock", "queue", "queue:turn"], own(call.once), &args)
            }
            Step::Handover(..) => unreachable!("version 0.1 has no handover"),
            Step::Wake => skew::run(lab, "wake", &["lock", "queue", "queue:turn"], None, &[]),
        }
    }

    /// What the model replies, at that time.
    pub(super) fn expect(&self, model: &mut Model, now: Us) -> Vec<String> {
        let env = Env { now, turn: TURN, room: ROOM, incarnation: 0, grace: None, mistake: None };
        words(&match self {
            Step::Handover(release, claim) => {
                let (released, claimed) = scripts::handover(model, &env, release, claim);
                return words(&released).into_iter().chain(claimed.iter().flat_map(words)).collect();
            }
            Step::Acquire(call) => scripts::acquire(model, &env, call),
            Step::Cancel(call, _) => scripts::cancel(model, &env, call),
            Step::Extend(call) => scripts::extend(model, &env, call),
            Step::Release(call) => scripts::release(model, &env, call),
            Step::Wake => scripts::wake(model, &env),
        })
    }
}

/// Makes something of the arguments of an acquire, and when it arrived.
fn with_arguments<R>(call: &Acquire, make: impl FnOnce(calls::Acquire<'_>, Option<u64>) -> R) -> R {
    let (id, token, request) = (attempt(call.id), token(call.token), record(call.request));
    let (owner, channel) = (format!("owner-of-{id}"), format!("gorilla:wake:{}", call.channel));
    let print = call.fingerprint.map(print);
    let arrived = if let Arrived::At(when) = call.arrived { Some(when) } else { None };
    let asked = calls::Acquire {
        id: &id,
        token: &token,
        owner: &owner,
        metadata: "[]",
        lease: call.lease,
        request: &request,
        print: print.as_deref(),
        wait: call.wait.then_some(WINDOW.as_millis() as u64),
        channel: &channel,
        rank: None,
    };
    make(asked, arrived)
}

/// A reply as redis-cli prints it, an item a line.
fn words(reply: &Reply) -> Vec<String> {
    let owner = |id: &Id| json!(format!("owner-of-{}", attempt(*id)));
    let items = match reply {
        Reply::Granted { fence, created } => json!(["granted", fence, created]),
        Reply::Replayed { fence, created, id, token: its, ttl } => {
            json!(["replayed", fence, created, attempt(*id), token(*its), ttl])
        }
        Reply::Queued { arrived, fence, look_in } => json!(["queued", arrived, fence, look_in]),
        Reply::Superseded => json!(["superseded"]),
        Reply::Held { id, fence, ttl, waiting, position } => {
            json!(["held", owner(id), fence, ttl, waiting, position])
        }
        Reply::Reserved { waiting, position } => json!(["reserved", waiting, position]),
        Reply::Recovering { left, waiting, position } => json!(["recovering", left, waiting, position]),
        Reply::Unsettled { left } => json!(["unsettled", left]),
        Reply::Full { waiting } => json!(["full", waiting]),
        Reply::Gone => json!(["gone"]),
        Reply::Reused => json!(["reused"]),
        Reply::Cancelled => json!(["cancelled"]),
        Reply::Extended { token: its, id, metadata: said, fence, created, updated, expires, ttl } => {
            let said = metadata(*said);
            json!(["extended", token(*its), attempt(*id), owner(id), said, fence, created, updated, expires, ttl])
        }
        Reply::ExtendReplayed { token: its, id, metadata: said, fence, created, updated, expires, ttl } => {
            let said = metadata(*said);
            json!(["replayed", token(*its), attempt(*id), owner(id), said, fence, created, updated, expires, ttl])
        }
        Reply::Missing => json!(["missing"]),
        Reply::Mismatch => json!(["mismatch"]),
        Reply::MismatchHeld { id, fence, ttl } => json!(["mismatch", owner(id), fence, ttl]),
        Reply::Shorter { ttl } => json!(["shorter", ttl]),
        Reply::Released { turn } | Reply::CancelReleased { turn } => json!(["released", turn]),
        Reply::ReleaseReplayed => json!(["replayed"]),
        Reply::Marked { turn } => json!(["marked", turn]),
        Reply::Kept { turn } => json!(["kept", turn]),
        Reply::Woken { turn } => json!(["woken", turn]),
    };
    let items = items.as_array().expect("a list").iter();
    items.map(|item| item.as_str().map_or_else(|| item.to_string(), String::from)).collect()
}
