//! A step of the conformance test: a call of a script, and the same in the model.

use std::time::Duration;

use gorilla_model::{
    redis::{Id, Lock, Name, Redis as Model, Share, Token, Told, Us},
    scripts::{
        self, Acquire, Arrived, Break, Cancel, Change, Convert, Crowd, Env, Extend, Hold, Part, Release, Reply, Times,
    },
};
use gorilla_scripts::{self as calls, Call};
use serde_json::json;

use super::state::{attempt, key, limit, member, owner, print, record, request, secret, share, token};
use crate::scripts::{Lab, skew};

/// As long as no run is.
pub(super) const WINDOW: Duration = Duration::from_secs(7200);
/// As in `lua/lib/turn.lua`.
pub(super) const TURN: u64 = 1000;
pub(super) const ROOM: usize = 3;
pub(super) const HOLDERS: usize = 3;
/// So few, in place of what stands in `lua/lib/group/`, that a run goes beyond them.
pub(super) const MOST_ENDED: usize = 1;
pub(super) const MOST_CALLED: usize = 2;
/// An attempt that there isn't.
const NOBODY: Id = Id::MAX;

/// A call of a script.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Acquire(Acquire),
    /// The same by the script for shared locks.
    Join(Acquire),
    /// With what the acquire told Redis beside its id: the channel, and what it wanted of a shared lock.
    Cancel(Cancel, u8, Option<Share>),
    Extend(Extend),
    SharedExtend(Extend),
    /// An extend that keeps its token, by the script that renews many locks; where that leaves the lock, by `extend`.
    Renew(Extend),
    Release(Release),
    SharedRelease(Release),
    SharedBreak(Break),
    PastBreak(Token),
    Convert(Convert),
    Limit(Change),
    /// Of a part of a set.
    Hold(Hold),
    /// A release that takes a claim along.
    Handover(Release, Acquire),
    Wake,
}

impl Step {
    pub(super) fn script(&self) -> &'static str {
        match self {
            Step::Acquire(call) if call.arrived == Arrived::Not => calls::Try::NAME,
            Step::Acquire(_) => calls::Claim::NAME,
            Step::Join(_) => "join",
            Step::Cancel(..) => "cancel",
            Step::Extend(_) => "extend",
            Step::Renew(_) => "renew",
            Step::SharedExtend(_) => "shared_extend",
            Step::Release(_) => "release",
            Step::SharedRelease(_) => "shared_release",
            Step::SharedBreak(_) => "shared_break",
            Step::PastBreak(_) => "past_break",
            Step::Convert(_) => "convert",
            Step::Limit(_) => "limit",
            Step::Hold(_) => "hold",
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
            Step::Join(call) => with_arguments(call, |asked, arrived| {
                let share = call.share.map(share);
                lab.run(&calls::Join { asked, share: share.as_deref(), again: call.is_again(), arrived })
            }),
            Step::Cancel(call, channel, wanted) => {
                let (id, owner, request) = (attempt(call.id), owner(call.id), key(call.request));
                let (channel, share) = (format!("gorilla:wake:{channel}"), wanted.map(share));
                let share = share.as_deref();
                lab.run(&calls::Cancel {
                    id: &id,
                    owner: &owner,
                    channel: &channel,
                    request: request.as_deref(),
                    share,
                    cause: "hung_up",
                })
            }
            Step::SharedExtend(call) => {
                let (id, old, new) = (attempt(call.token.tenure), secret(call.token), secret(call.new_token));
                let (new_secret, (request, print)) = ((new != old).then_some(&*new), once(call.once));
                let (request, print) = (request.as_deref(), print.as_deref());
                let (lease, metadata) = (call.lease, None);
                lab.run(&calls::SharedExtend { id: &id, secret: &old, new_secret, metadata, lease, request, print })
            }
            Step::SharedRelease(call) => {
                let (id, secret, (request, print)) = (attempt(call.token.tenure), secret(call.token), once(call.once));
                let (request, print) = (request.as_deref(), print.as_deref());
                lab.run(&calls::SharedRelease {
                    id: &id,
                    secret: &secret,
                    new_secret: None,
                    after: None,
                    request,
                    print,
                })
            }
            Step::SharedBreak(call) => {
                let (fence, (request, print)) = (call.fence.map(|fence| fence.to_string()), once(call.once));
                let (fence, request, print) = (fence.as_deref(), request.as_deref(), print.as_deref());
                lab.run(&calls::SharedBreak(calls::Break {
                    fence,
                    request,
                    print,
                    grace: None,
                    by: None,
                    reason: None,
                }))
            }
            Step::PastBreak(its) => lab.run(&calls::PastBreak { token: &token(*its) }),
            Step::Convert(call) => {
                let (id, old, new) = (attempt(call.id), token(call.token), token(call.new_token));
                let (share, (request, print)) = (call.share.map(share), once(call.once));
                lab.run(&calls::Convert {
                    token: &old,
                    id: &id,
                    new_token: &new,
                    metadata: None,
                    lease: call.lease,
                    share: share.as_deref(),
                    request: request.as_deref(),
                    print: print.as_deref(),
                    by: None,
                })
            }
            Step::Limit(change) => {
                let (change, limit) = match change {
                    Change::Nothing => (None, None),
                    Change::Pin(limit) => (Some("pin"), Some((*limit).into())),
                    Change::Unpin => (Some("unpin"), None),
                };
                lab.run(&calls::Limit { change, limit })
            }
            Step::Hold(call) => {
                let (id, (request, print)) = (attempt(call.id), once(call.once));
                let (request, print) = (request.as_deref(), print.as_deref());
                lab.run(&calls::Hold { id: &id, lease: call.lease, request, print, commit: call.commit })
            }
            Step::Extend(call) => {
                let (old, new, (request, print)) = (token(call.token), token(call.new_token), once(call.once));
                let (request, print) = (request.as_deref(), print.as_deref());
                lab.run(&calls::Extend {
                    token: &old,
                    new_token: &new,
                    lease: call.lease,
                    metadata: None,
                    request,
                    print,
                })
            }
            Step::Renew(call) => {
                let renewed = lab.run(&calls::Renew { lease: call.lease, tokens: vec![&token(call.token)] });
                if renewed.len() == 2 {
                    return renewed;
                }
                let extended = Step::Extend(call.clone()).run(lab);
                if extended[0] == "extended" { vec!["renewed".into(), extended[7].clone()] } else { extended }
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
            Step::Cancel(call, channel, wanted) => {
                let args = [attempt(call.id), member(call.id, *channel, *wanted), window.clone(), window];
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
            Step::Wake => skew::run(lab, "wake", &["lock", "queue", "queue:turn"], None, &[]),
            other => unreachable!("version 0.1 has no {}", other.script()),
        }
    }

    /// Whether version 0.1 can take it.
    pub(super) fn is_old(&self) -> bool {
        match self {
            Step::Acquire(_) | Step::Extend(_) | Step::Release(_) | Step::Wake => true,
            Step::Cancel(_, _, wanted) => wanted.is_none(),
            _ => false,
        }
    }

    /// What the model replies to the same step of version 0.1, at that time: to that version a group is a holder without
    /// id and token.
    pub(super) fn expect_old(&self, model: &mut Model, now: Us) -> Vec<String> {
        model.expire(now / 1000);
        let Some(group) = model.group.take() else { return self.expect(model, now) };
        // A release and an extend find no token.
        if !matches!(self, Step::Release(_) | Step::Extend(_)) {
            let (last, token) = (group.last(), Token { tenure: NOBODY, number: 0 });
            let (owner, fence, created, expires) = (last.owner, last.fence, last.created, last.expires);
            let updated = Told(created);
            model.lock = Some(Lock { id: NOBODY, owner, token, fence, created, updated, expires });
        }
        let reply = self.expect(model, now);
        model.lock = None;
        model.group = Some(group);
        reply
    }

    /// What the model replies, at that time.
    pub(super) fn expect(&self, model: &mut Model, now: Us) -> Vec<String> {
        let env = env(now);
        words(&match self {
            Step::Handover(release, claim) => {
                let (released, claimed) = scripts::handover(model, &env, release, claim);
                return words(&released).into_iter().chain(claimed.iter().flat_map(words)).collect();
            }
            Step::Acquire(call) => scripts::acquire(model, &env, call),
            Step::Join(call) => scripts::join(model, &env, call),
            Step::Cancel(call, ..) => scripts::cancel(model, &env, call),
            Step::Extend(call) => scripts::extend(model, &env, call),
            Step::Renew(call) => match scripts::extend(model, &env, call) {
                Reply::Extended { times, .. } => return vec!["renewed".into(), times.updated.to_string()],
                reply => reply,
            },
            Step::SharedExtend(call) => scripts::shared_extend(model, &env, call),
            Step::Release(call) => scripts::release(model, &env, call),
            Step::SharedRelease(call) => scripts::shared_release(model, &env, call),
            Step::SharedBreak(call) => scripts::shared_break(model, &env, call),
            Step::PastBreak(its) => scripts::past_break(model, *its),
            Step::Convert(call) => scripts::convert(model, &env, call),
            Step::Limit(change) => scripts::limit(model, &env, change),
            Step::Hold(call) => scripts::hold(model, &env, call),
            Step::Wake => scripts::wake(model, &env),
        })
    }
}

/// What the scripts find beside their arguments.
pub(super) fn env(now: Us) -> Env {
    let (turn, room, holders) = (TURN, ROOM, HOLDERS);
    let (most_ended, most_called) = (MOST_ENDED, MOST_CALLED);
    Env { now, turn, room, holders, most_ended, most_called, incarnation: 0, grace: None, mistake: None }
}

/// Makes something of the arguments of an acquire, and when it arrived.
fn with_arguments<R>(call: &Acquire, make: impl FnOnce(calls::Acquire<'_>, Option<u64>) -> R) -> R {
    let (id, token, request) = (attempt(call.id), token(call.token), key(call.request));
    let (owner, channel) = (owner(call.id), format!("gorilla:wake:{}", call.channel));
    let print = call.fingerprint.map(print);
    let arrived = if let Arrived::At(when) = call.arrived { Some(when) } else { None };
    let asked = calls::Acquire {
        rank: None,
        by: None,
        id: &id,
        token: &token,
        owner: &owner,
        metadata: "[]",
        lease: call.lease,
        request: request.as_deref(),
        print: print.as_deref(),
        wait: call.wait.then_some(WINDOW.as_millis() as u64),
        channel: &channel,
    };
    make(asked, arrived)
}

/// A reply as redis-cli prints it, an item a line.
pub(super) fn words(reply: &Reply) -> Vec<String> {
    let owner = |id: &Id| json!(owner(*id));
    let of = |part: &Part| vec![json!(part.permits), json!(limit(part.limit)), json!(part.floor)];
    let all = |crowd: &Crowd| vec![json!(crowd.used), json!(limit(crowd.limit)), json!(crowd.holders)];
    let mut more = Vec::new();
    let items = match reply {
        Reply::PartHeld { ends, ttl, updated } => json!(["held", ends, ttl, updated]),
        Reply::PartCommitted { ends, ttl, updated } => json!(["committed", ends, ttl, updated]),
        Reply::Lost => json!(["lost"]),
        Reply::SetGranted { created, fences } => {
            more = fences.iter().map(|fence| json!(fence)).collect();
            json!(["granted", created])
        }
        Reply::SetBlocked { part, why } => {
            more = words(why).into_iter().map(|word| json!(word)).collect();
            json!(["blocked", part])
        }
        Reply::SetUnsure { part } => json!(["unsure", part]),
        Reply::Granted { fence, created } => json!(["granted", fence, created]),
        Reply::Replayed { fence, created, id, token: its, ttl } => {
            json!(["replayed", fence, created, attempt(*id), token(*its), ttl])
        }
        Reply::Queued { arrived, fence, look_in } => json!(["queued", arrived, fence, look_in]),
        Reply::Superseded => json!(["superseded"]),
        Reply::Shared => json!(["shared"]),
        Reply::Held { owner: its, fence, ttl, waiting, position } => {
            json!(["held", owner(its), fence, ttl, waiting, position])
        }
        Reply::Joined { fence, created, turn, part } => {
            more = of(part);
            json!(["joined", fence, created, turn])
        }
        Reply::Rejoined { fence, created, id, token: its, ttl, part } => {
            more = of(part);
            json!(["rejoined", fence, created, attempt(*id), token(*its), ttl])
        }
        Reply::Crowd { owner: its, fence, ttl, waiting, position, crowd } => {
            more = all(crowd);
            json!(["crowd", owner(its), fence, ttl, waiting, position])
        }
        Reply::Limited { limit: number } => json!(["limited", limit(*number)]),
        Reply::Crowded { holders } => json!(["crowded", holders]),
        Reply::Reserved { waiting, position } => json!(["reserved", waiting, position]),
        Reply::Recovering { left, waiting, position } => json!(["recovering", left, waiting, position]),
        Reply::Unsettled { left } => json!(["unsettled", left]),
        Reply::Full { waiting } => json!(["full", waiting]),
        Reply::Gone => json!(["gone"]),
        Reply::Reused => json!(["reused"]),
        Reply::Cancelled => json!(["cancelled"]),
        Reply::Extended { token: its, id, owner: label, fence, times, part }
        | Reply::ExtendReplayed { token: its, id, owner: label, fence, times, part } => {
            let name = if matches!(reply, Reply::Extended { .. }) { "extended" } else { "replayed" };
            let Times { created, updated, expires, ttl } = times;
            more = part.iter().flat_map(of).collect();
            json!([name, token(*its), attempt(*id), owner(label), "[]", fence, created, updated, expires, ttl])
        }
        Reply::Missing => json!(["missing"]),
        Reply::Mismatch => json!(["mismatch"]),
        Reply::MismatchHeld { owner: its, fence, ttl } => json!(["mismatch", owner(its), fence, ttl]),
        Reply::Shorter { ttl } => json!(["shorter", ttl]),
        Reply::Released { turn } | Reply::CancelReleased { turn } => json!(["released", turn]),
        Reply::ReleaseReplayed => json!(["replayed"]),
        Reply::Marked { turn } => json!(["marked", turn]),
        Reply::Kept { turn } => json!(["kept", turn]),
        Reply::Woken { turn } => json!(["woken", turn]),
        Reply::Broken { id, owner: its, fence, turn } => json!(["broken", attempt(*id), owner(its), fence, turn]),
        // The model leaves a break with a grace out, so nothing is left of the grant.
        Reply::BreakReplayed { id, owner: its, fence } => json!(["replayed", attempt(*id), owner(its), fence, 0]),
        Reply::Changed { owner: its, fence, ttl } => json!(["changed", owner(its), fence, ttl]),
        Reply::Unnamed { crowd } => {
            more = all(crowd);
            json!(["unnamed"])
        }
        Reply::PastBreak { at } => json!(["broken", at, "", ""]),
        Reply::NeverBroken => json!(["unknown"]),
        Reply::Shares { fence, created, owner: its, turn, part } => {
            more = of(part);
            json!(["shares", fence, created, owner(its), "[]", turn])
        }
        Reply::Alone { fence, created, owner: its } => json!(["alone", fence, created, owner(its), "[]"]),
        Reply::ConvertReplayed { token: its, ttl } => json!(["replayed", token(*its), ttl]),
        Reply::ConvertCrowd { owner: its, fence, ttl, crowd } => {
            more = all(crowd);
            json!(["crowd", owner(its), fence, ttl])
        }
        Reply::Limit { limit: number, pinned } => json!(["limit", limit(*number), u8::from(*pinned)]),
    };
    let items = items.as_array().expect("a list").iter().chain(&more);
    items.map(|item| item.as_str().map_or_else(|| item.to_string(), String::from)).collect()
}
