//! `lua/extend.lua`, `lua/release.lua`, `lua/break.lua`, `lua/inspect.lua` and `lua/ready.lua`

use std::time::Duration;

use gorilla_scripts::{Break, Constants, Extend, Inspect, Ready, Release, ReleaseLater};

use super::{AT_ONCE, CONSTANTS, Lab, number};

use crate::harness::Redis;

/// A lab in which `id-1` holds the lock; its fence and when it was created.
fn held(lab: &Lab) -> (String, String) {
    let granted = lab.acquire("id-1", "request:id-1", "", "30000");
    lab.seen.borrow_mut().clear();
    (granted[1].clone(), granted[2].clone())
}

/// The name and the fingerprint of a request, where it has a key.
fn named(print: &str) -> (Option<&str>, Option<&str>) {
    Some(("k", print)).filter(|_| !print.is_empty()).unzip()
}

#[test]
fn extend_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let (fence, created) = held(&lab);
    let extend = |token: &str, new_token: &str, lease: &str, print: &str| {
        let (request, print) = named(print);
        lab.run(&Extend { token, new_token, lease: number(lease) as u64, metadata: None, request, print })
    };
    let mismatch = extend("another", "token-2", "60000", "");
    assert_eq!(mismatch[..3], ["mismatch".into(), "owner-of-id-1".into(), fence.clone()]);
    assert!((1..=30_000).contains(&number(&mismatch[3])));
    let shorter = extend("token-of-id-1", "token-2", "1000", "");
    assert_eq!(shorter[0], "shorter");
    assert!((1_001..=30_000).contains(&number(&shorter[1])));
    assert_eq!(lab.cli(&["HGET"], "lock", &["token"]), "token-of-id-1");

    let extended = extend("token-of-id-1", "token-2", "60000", "print");
    let [name, token, id, owner, metadata, same_fence, same_created, updated, expires, ttl] = extended.as_slice()
    else {
        panic!("{extended:?}")
    };
    assert_eq!([name, token, id, owner, metadata], ["extended", "token-2", "id-1", "owner-of-id-1", "[1.0]"]);
    assert_eq!((same_fence, same_created), (&fence, &created));
    assert!(number(updated) >= number(&created));
    assert_eq!((number(expires), ttl.as_str()), (number(updated) + 60_000, "60000"));
    assert_eq!(lab.cli(&["PEXPIRETIME"], "lock", &[]), *expires);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["token", "updated"]), format!("token-2\n{updated}"));

    let replayed = extend("token-of-id-1", "token-3", "60000", "print");
    assert_eq!((replayed[0].as_str(), &replayed[1..9]), ("replayed", &extended[1..9]));
    assert!((1..=60_000).contains(&number(&replayed[9])));
    assert_eq!(lab.cli(&["HGET"], "lock", &["token"]), "token-2");
    assert_eq!(extend("token-of-id-1", "token-3", "60000", "other print"), ["reused"]);
    lab.cli(&["HSET"], "lock", &["breaking", "1"]);
    assert_eq!(extend("token-2", "token-3", "60000", "")[0], "breaking");
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(extend("token-of-id-1", "token-3", "60000", "print"), ["gone"]);
    assert_eq!(extend("token-2", "token-3", "60000", ""), ["missing"]);
    // A lock that another client took meanwhile is not theirs.
    lab.acquire("id-2", "request:id-2", "", "30000");
    assert_eq!(extend("token-of-id-1", "token-3", "60000", "print"), ["gone"]);
    lab.seen.borrow_mut().remove("granted");
    lab.saw_every_reply_of("extend");
}

#[test]
fn an_extend_may_keep_the_token_and_replace_the_metadata_and_its_copy_tells_both() {
    let lab = Lab::on(Redis::shared());
    held(&lab);
    let extend = |new_token: &str, metadata: Option<&str>, print: &str| {
        let (request, print) = named(print);
        lab.run(&Extend { token: "token-of-id-1", new_token, lease: 60_000, metadata, request, print })
    };
    let fields = || lab.cli(&["HMGET"], "lock", &["token", "metadata"]);
    let kept = extend("token-of-id-1", None, "");
    assert_eq!((kept[1].as_str(), kept[4].as_str()), ("token-of-id-1", "[1.0]"));
    assert_eq!(fields(), "token-of-id-1\n[1.0]");
    // Without a key, too, the same request acts again: its token is still the current one.
    let replaced = extend("token-of-id-1", Some("[\"new\"]"), "");
    assert_eq!((replaced[1].as_str(), replaced[4].as_str()), ("token-of-id-1", "[\"new\"]"));
    assert_eq!(fields(), "token-of-id-1\n[\"new\"]");
    let with_key = extend("token-of-id-1", Some("[2]"), "print");
    extend("token-of-id-1", Some("[3]"), "");
    let copy = extend("token-of-id-1", Some("[2]"), "print");
    assert_eq!((copy[0].as_str(), &copy[1..9]), ("replayed", &with_key[1..9]));
    assert_eq!(fields(), "token-of-id-1\n[3]");
}

#[test]
fn release_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    held(&lab);
    let release = |token: &str, print: &str| {
        let (request, print) = named(print);
        lab.run(&Release { token, request, print })
    };
    assert_eq!(release("another", "print"), ["mismatch"]);
    assert_eq!(lab.keys(), ["fence", "lock"]);
    assert_eq!(release("token-of-id-1", "print"), ["released", "0"]);
    assert_eq!(lab.keys(), ["fence", "request:k"]);
    assert!((1..=60_000).contains(&number(&lab.cli(&["PTTL"], "request:k", &[]))));
    assert_eq!(release("token-of-id-1", "print"), ["replayed"]);
    assert_eq!(release("token-of-id-1", "other print"), ["reused"]);
    assert_eq!(release("token-of-id-1", ""), ["missing"]);
    lab.saw_every_reply_of("release");
    held(&lab);
    assert_eq!(release("token-of-id-1", ""), ["released", "0"]);
}

#[test]
fn release_later_gives_every_reply_of_its_header_and_leaves_nobody_a_token() {
    let lab = Lab::on(Redis::shared());
    held(&lab);
    let later = |token: &str, after: u64, print: &str| {
        let (request, print) = named(print);
        lab.run(&ReleaseLater { token, new_token: "nobody's", after, request, print })
    };
    assert_eq!(later("another", 5000, "print"), ["mismatch"]);
    assert_eq!(lab.keys(), ["fence", "lock"]);
    assert_eq!(later("token-of-id-1", 5000, "print"), ["released", "0"]);
    assert!((1..=5000).contains(&number(&lab.cli(&["PTTL"], "lock", &[]))));
    assert_eq!(later("token-of-id-1", 5000, "print"), ["replayed"]);
    assert_eq!(later("token-of-id-1", 5000, "other print"), ["reused"]);
    assert_eq!(later("token-of-id-1", 1, ""), ["mismatch"]);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["id", "token"]), "id-1\nnobody's");
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(later("token-of-id-1", 5000, ""), ["missing"]);
    lab.saw_every_reply_of("release_later");
    // Not later than the lease would have ended.
    held(&lab);
    later("token-of-id-1", 60_000, "");
    assert!((1..=30_000).contains(&number(&lab.cli(&["PTTL"], "lock", &[]))));
}

#[test]
fn a_copy_of_what_came_before_a_release_for_later_is_told_that_the_lease_has_ended() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:a", "print", "30000");
    let extend = || {
        let (request, print) = named("print");
        let (token, new_token, lease, metadata) = ("token-of-id-1", "token-2", 60_000, None);
        lab.run(&Extend { token, new_token, lease, metadata, request, print })
    };
    assert_eq!(extend()[0], "extended");
    let later = ReleaseLater { token: "token-2", new_token: "nobody's", after: 5000, request: None, print: None };
    assert_eq!(lab.run(&later), ["released", "0"]);
    assert_eq!(lab.acquire("id-1", "request:a", "print", "30000"), ["gone"]);
    assert_eq!(extend(), ["gone"]);
}

#[test]
fn break_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let (fence, _) = held(&lab);
    let broken = |name: &str, rest: &[&str]| {
        let grant = [name, "id-1", "owner-of-id-1", &fence];
        [&grant, rest].concat().into_iter().map(String::from).collect::<Vec<_>>()
    };
    let break_after = |fence: &str, print: &str, grace: Option<u64>| {
        let (request, print) = named(print);
        lab.run(&Break {
            fence: Some(fence).filter(|fence| !fence.is_empty()),
            request,
            print,
            grace,
            by: None,
            reason: None,
        })
    };
    let break_lock = |fence: &str, print: &str| break_after(fence, print, None);
    let changed = break_lock("1", "print");
    assert_eq!(changed[..3], ["changed".into(), "owner-of-id-1".into(), fence.clone()]);
    assert!((1..=30_000).contains(&number(&changed[3])));
    assert_eq!(lab.keys(), ["fence", "lock"]);
    assert_eq!(break_after(&fence, "", Some(20_000)), broken("breaking", &["20000", "0"]));
    assert_eq!(break_lock(&fence, "print"), broken("broken", &["0"]));
    assert_eq!(lab.keys(), ["broken", "fence", "request:k"]);
    assert_eq!(break_lock(&fence, "print"), broken("replayed", &["0"]));
    assert_eq!(break_lock("", "other print"), ["reused"]);
    assert_eq!(break_lock("", ""), ["missing"]);
    lab.join("a-1", "*1/", AT_ONCE);
    lab.seen.borrow_mut().remove("joined");
    assert_eq!(break_lock("", ""), ["shared"]);
    lab.saw_every_reply_of("break");
    lab.leave("a-1");
    held(&lab);
    assert_eq!(break_lock("", "")[0], "broken");
}

#[test]
fn a_break_with_a_grace_ends_the_lease_after_it_and_never_later_than_before() {
    let lab = Lab::on(Redis::shared());
    held(&lab);
    let break_after = |print: &str, grace: u64| {
        let (request, print) = named(print);
        let reply = lab.run(&Break { fence: None, request, print, grace: Some(grace), by: None, reason: None });
        (reply[0].clone(), number(&reply[4]))
    };
    let left = || number(&lab.cli(&["PTTL"], "lock", &[]));
    let (name, ttl) = break_after("", 60_000);
    assert!(name == "breaking" && (1..=30_000).contains(&ttl) && (1..=30_000).contains(&left()), "{name} {ttl}");
    assert_eq!(break_after("print", 10_000), ("breaking".into(), 10_000));
    let (name, ttl) = break_after("print", 10_000);
    assert!(name == "replayed" && (1..=10_000).contains(&ttl), "{name} {ttl}");
    // A longer grace gives nothing back.
    let (_, ttl) = break_after("", 20_000);
    assert!((1..=10_000).contains(&ttl) && (1..=10_000).contains(&left()), "{ttl}");

    let extend = |token: &str, lease: u64| {
        lab.run(&Extend { token, new_token: "t", lease, metadata: None, request: None, print: None })
    };
    let breaking = extend("token-of-id-1", 30_000);
    assert!(breaking[0] == "breaking" && (1..=10_000).contains(&number(&breaking[1])), "{breaking:?}");
    // Also where the new lease would end sooner, and nobody else learns of it by an extend.
    assert_eq!(extend("token-of-id-1", 1)[0], "breaking");
    assert_eq!(extend("another", 30_000)[0], "mismatch");
    assert_eq!(lab.run(&Inspect { token: None })[11], "1");
    assert_eq!(lab.release("id-1"), ["released", "0"]);
    // Nothing of it is left to the next holder.
    held(&lab);
    assert_eq!(lab.cli(&["HLEN"], "lock", &[]), "7");
    assert_eq!(extend("token-of-id-1", 40_000)[0], "extended");
}

/// A copy that was told of the whole lease would believe in it for longer than the lock lasts.
#[test]
fn no_copy_is_told_of_a_longer_lease_than_a_break_with_a_grace_has_left() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:a", "print", "30000");
    let extend = || {
        let (request, print) = named("print");
        lab.run(&Extend { token: "token-of-id-1", new_token: "token-2", lease: 60_000, metadata: None, request, print })
    };
    let extended = extend();
    assert_eq!(extended[0], "extended");
    assert_eq!(lab.acquire("id-1", "request:a", "print", "30000")[0], "replayed");
    lab.run(&Break { fence: None, request: None, print: None, grace: Some(10_000), by: None, reason: None });
    assert_eq!(lab.acquire("id-1", "request:a", "print", "30000"), ["gone"]);
    let replayed = extend();
    assert_eq!((replayed[0].as_str(), &replayed[1..8]), ("replayed", &extended[1..8]));
    assert_eq!(replayed[8], lab.cli(&["PEXPIRETIME"], "lock", &[]));
    assert!((1..=10_000).contains(&number(&replayed[9])), "{replayed:?}");
}

#[test]
fn inspect_gives_every_reply_of_its_header_and_never_the_token() {
    let lab = Lab::on(Redis::shared());
    let inspect = |token: &str| lab.run(&Inspect { token: Some(token).filter(|token| !token.is_empty()) });
    assert_eq!(inspect(""), ["free", "0"]);
    lab.cli(&["ZADD"], "queue", &["1", "id gorilla:wake:other me"]);
    assert_eq!(inspect("token-of-id-1"), ["free", "1"]);
    lab.cli(&["DEL"], "queue", &[]);
    let granted = lab.acquire("id-1", "request:id-1", "", "30000");
    lab.cli(&["ZADD"], "queue", &["1", "id gorilla:wake:other me"]);
    lab.seen.borrow_mut().remove("granted");
    for (token, own) in [("", "0"), ("another", "0"), ("token-of-id-1", "1")] {
        let held = inspect(token);
        let [fence, created] = [&granted[1], &granted[2]];
        assert_eq!(held[..8], ["held", own, "id-1", "owner-of-id-1", "[1.0]", fence, created, created], "{token}");
        assert_eq!(number(&held[8]), number(created) + 30_000);
        assert!((1..=30_000).contains(&number(&held[9])));
        assert_eq!(held[10..], ["1", "0", "0", ""]);
    }
    lab.cli(&["DEL"], "queue", &[]);
    lab.release("id-1");
    lab.join("a-1", "*1/", AT_ONCE);
    assert_eq!(inspect(""), ["shared"]);
    lab.seen.borrow_mut().retain(|reply| reply != "joined" && reply != "released");
    lab.saw_every_reply_of("inspect");
}

#[test]
fn ready_says_so_and_writes_nothing() {
    let lab = Lab::on(Redis::shared());
    assert_eq!(lab.run_on(None, None, &Ready {}), ["ready"]);
    lab.saw_every_reply_of("ready");
}

#[test]
fn a_record_without_a_lock_vanishes_with_the_window() {
    let lab = Lab::with(Redis::shared(), Constants { window: Duration::from_millis(50), ..CONSTANTS });
    held(&lab);
    lab.run(&Release { token: "token-of-id-1", request: Some("k"), print: Some("print") });
    let begun = std::time::Instant::now();
    while lab.keys() != ["fence"] {
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", lab.keys());
    }
}
