//! `lua/extend.lua`, `lua/release.lua`, `lua/break.lua`, `lua/inspect.lua` and `lua/ready.lua`

use std::time::Duration;

use gorilla_scripts::{Break, Constants, Extend, Inspect, Ready, Release};

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
fn break_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let (fence, _) = held(&lab);
    let broken = |name: &str| [name.to_string(), "id-1".into(), "owner-of-id-1".into(), fence.clone()];
    let break_lock = |fence: &str, print: &str| {
        let (request, print) = named(print);
        lab.run(&Break { fence: Some(fence).filter(|fence| !fence.is_empty()), request, print })
    };
    let changed = break_lock("1", "print");
    assert_eq!(changed[..3], ["changed".into(), "owner-of-id-1".into(), fence.clone()]);
    assert!((1..=30_000).contains(&number(&changed[3])));
    assert_eq!(lab.keys(), ["fence", "lock"]);
    assert_eq!(break_lock(&fence, "print"), [&broken("broken")[..], &["0".into()]].concat());
    assert_eq!(lab.keys(), ["fence", "request:k"]);
    assert_eq!(break_lock(&fence, "print"), broken("replayed"));
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
        assert_eq!(held[10..], ["1"]);
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
