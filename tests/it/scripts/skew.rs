//! Runs the scripts of version 0.1, which `tests/skew/` keeps, as that version did.

use std::{env, fs, path::Path, time::Duration};

use fastrand::Rng;

use gorilla_scripts::{self as calls, Constants, Request, Script, Try};

use super::{CHANNEL, Lab, number};
use crate::harness::Redis;

/// Nothing ends by itself during a run: these are as long as no run is.
const LEASE: &str = "3600000";
const WINDOW: Duration = Duration::from_secs(7200);
const CONSTANTS: Constants = Constants { window: WINDOW, place_kept: WINDOW, ..super::CONSTANTS };

/// The text of a script of version 0.1, as its store put it together.
fn text(script: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/skew/0.1");
    let read = |name: &str| {
        let path = folder.join(name).with_extension("lua");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (script, shared) = (read(script), read("shared"));
    let (flags, body) = script.split_once('\n').expect("flags and a body");
    format!("{flags}\n{shared}\n{body}")
}

/// What Redis replies, an item a line. The key of a record comes last, where there is one.
pub fn run(lab: &Lab, script: &str, keys: &[&str], record: Option<String>, args: &[String]) -> Vec<String> {
    let keys: Vec<_> = keys.iter().copied().chain(record.as_deref()).map(|what| lab.key(what)).collect();
    let (text, number) = (text(script), keys.len().to_string());
    let call = ["EVAL", &text, &number].into_iter().chain(keys.iter().chain(args).map(String::as_str));
    lab.redis.cli(&call.collect::<Vec<_>>()).lines().map(String::from).collect()
}

/// An acquire with an Idempotency-Key as attempt `id`, as [`Lab::acquire`] makes it.
fn acquire(lab: &Lab, id: &str) -> Vec<String> {
    let [window, fence_kept] = [CONSTANTS.window, CONSTANTS.fence_kept].map(|time| time.as_millis().to_string());
    let (token, owner) = (format!("token-of-{id}"), format!("owner-of-{id}"));
    let args = [
        id,
        &token,
        &owner,
        "[1.0]",
        LEASE,
        &fence_kept,
        "print",
        &window,
        "0",
        CHANNEL,
        "",
        "3",
        &window,
        "120000",
        "0",
    ];
    let keys = ["lock", "fence", "queue", "queue:turn"];
    run(lab, "acquire", &keys, Some("request:k".into()), &args.map(String::from))
}

fn cancel(lab: &Lab, id: &str) -> Vec<String> {
    let (place, window) = (format!("{id} {CHANNEL} owner-of-{id}"), CONSTANTS.window.as_millis().to_string());
    let args = [id, &place, &window, &window].map(String::from);
    run(lab, "cancel", &["lock", "queue", "queue:turn"], Some("request:k".into()), &args)
}

/// What a record names beside the facts of a grant: its outcome, the attempt that took the lock, the attempts that were
/// told of it, and the attempts that were cancelled.
fn marks(lab: &Lab) -> (Vec<String>, Vec<String>, Vec<String>) {
    let record: Vec<String> = serde_json::from_str(&lab.cli(&["GET"], "request:k", &[])).expect("a list of strings");
    let (told, others): (Vec<_>, Vec<_>) = record.into_iter().partition(|item| item.starts_with('+'));
    let (cancelled, mut facts): (Vec<_>, Vec<_>) = others.into_iter().partition(|item| item.starts_with('-'));
    // Behind these stand a token and times.
    facts.truncate(3);
    (facts, told, cancelled)
}

/// How many marks a record may have is counted alike, whichever version made them.
#[test]
fn many_copies_and_cancellations_leave_the_same_record_in_any_mix_of_versions() {
    let seed = env::var("GORILLA_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    println!("GORILLA_TEST_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let [alone, mixed] = [(); 2].map(|()| Lab::with(Redis::shared(), CONSTANTS));
    let (mut most_told, mut most_cancelled) = (0, 0);
    for step in 0..300 {
        // First copies come, and then the cancellations of most of them: enough of each for the bounds to be met.
        let (id, cancels) = (format!("id-{}", rng.u8(..120)), rng.u32(..300) < step);
        let (expected, reply) = match (cancels, rng.bool()) {
            (true, true) => (alone.cancel(&id, "request:k"), cancel(&mixed, &id)),
            (true, false) => (alone.cancel(&id, "request:k"), mixed.cancel(&id, "request:k")),
            (false, true) => (alone.acquire(&id, "request:k", "print", LEASE), acquire(&mixed, &id)),
            (false, false) => {
                let [expected, reply] = [&alone, &mixed].map(|lab| lab.acquire(&id, "request:k", "print", LEASE));
                (expected, reply)
            }
        };
        assert_eq!(expected[0], reply[0], "step {step}, {id}");
        if step % 5 > 0 {
            continue;
        }
        let (expected, found) = (marks(&alone), marks(&mixed));
        assert_eq!(expected, found, "step {step}, {id}");
        (most_told, most_cancelled) = (most_told.max(found.1.len()), most_cancelled.max(found.2.len()));
    }
    assert!(most_told > 16 && most_cancelled == 64, "{most_told} were told at most, {most_cancelled} cancelled");
}

/// Grants by our scripts while the last fence is an hour ahead of the clock of Redis, and then, after a roll-back, by
/// those of version 0.1. The fences.
fn fences_over_a_roll_back(lab: &Lab, last_fence: &str) -> [i64; 2] {
    let ahead = number(lab.redis.cli(&["TIME"]).lines().next().expect("seconds")) + 3600;
    lab.cli(&["SET"], last_fence, &[&format!("{ahead}000000")]);
    let (id, token, owner, metadata, lease) = ("id-1", "token-of-id-1", "me", "[]", 30_000);
    let (request, print, wait, channel, rank) = (None, None, None, CHANNEL, None);
    let call = calls::Acquire { id, token, owner, metadata, lease, request, print, wait, channel, rank, by: None };
    let ask = Request::new(&lab.scripts, Some(lab.key("lock")), &Try(call));
    let ours = lab.send(&[ask], &[lab.key("*")]);
    assert_eq!(lab.release("id-1"), ["released", "0"]);
    let theirs = acquire(lab, "id-2");
    [ours.lines().nth(1), theirs.get(1).map(String::as_str)].map(|fence| number(fence.expect("a grant has a fence")))
}

#[test]
fn fences_rise_over_a_roll_back_where_the_clock_has_stepped_back() {
    let [ours, theirs] = fences_over_a_roll_back(&Lab::with(Redis::shared(), CONSTANTS), "fence");
    assert_eq!(theirs, ours + 1);
}

/// One key with the last fence of all locks of a slot would take the place of a key for each lock, and the memory of a
/// lock would end with its lease. But version 0.1 looks for the key of the lock alone.
#[test]
fn with_one_fence_for_the_locks_of_a_slot_fences_would_fall_in_a_roll_back() {
    let mut lab = Lab::with(Redis::shared(), CONSTANTS);
    let source = lab.scripts.try_acquire.source.replace("stem .. 'fence'", "stem .. 'clock'");
    lab.scripts.try_acquire = Script::of(source).into();
    let [ours, theirs] = fences_over_a_roll_back(&lab, "clock");
    assert!(theirs < ours - 3_000_000_000, "{theirs} is not far below {ours}: this key could take their place");
}
