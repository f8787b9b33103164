//! `lua/shared_extend.lua`, `lua/shared_release.lua`, `lua/shared_break.lua` and `lua/shared_inspect.lua`

use gorilla_scripts::{Break, SharedBreak, SharedExtend, SharedInspect, SharedRelease};

use super::{AT_ONCE, Asks, Lab, number};
use crate::harness::Redis;

/// A lab in which `a-1` and, for longer, `a-2` share the lock; the fence of each and when it was created.
fn shared(lab: &Lab) -> [(String, String); 2] {
    let joined = [("a-1", "*1/5", 30_000), ("a-2", "*2/5", 60_000)].map(|(id, share, lease)| {
        let joined = lab.join(id, share, Asks { lease, ..AT_ONCE });
        (joined[1].clone(), joined[2].clone())
    });
    lab.seen.borrow_mut().clear();
    joined
}

/// The name and the fingerprint of a request, where it has a key.
fn named(print: &str) -> (Option<&str>, Option<&str>) {
    Some(("k", print)).filter(|_| !print.is_empty()).unzip()
}

#[test]
fn shared_extend_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let [(fence, created), (fence_2, _)] = shared(&lab);
    let extend = |secret: &str, new_secret: Option<&str>, metadata: Option<&str>, lease: u64, print: &str| {
        let (request, print) = named(print);
        lab.run(&SharedExtend { id: "a-1", secret, new_secret, metadata, lease, request, print })
    };
    let mismatch = extend("another", Some("new"), None, 60_000, "");
    assert_eq!(mismatch[..3], ["mismatch".into(), "owner-of-a-2".into(), fence_2.clone()]);
    assert!((30_001..=60_000).contains(&number(&mismatch[3])));
    let shorter = extend("secret-of-a-1", Some("new"), None, 1_000, "");
    assert_eq!(shorter[0], "shorter");
    assert!((1_001..=30_000).contains(&number(&shorter[1])));

    let extended = extend("secret-of-a-1", Some("new"), None, 90_000, "print");
    let expected = ["extended", "a-1.new", "a-1", "owner-of-a-1", "[1.0]", &fence, &created];
    assert_eq!(extended[..7], expected.map(String::from));
    let (updated, expires) = (&extended[7], &extended[8]);
    assert_eq!((number(expires), extended[9].as_str()), (number(updated) + 90_000, "90000"));
    assert_eq!(extended[10..], ["1", "5", &fence].map(String::from));
    for key in ["lock", "holders"] {
        assert_eq!(lab.cli(&["PEXPIRETIME"], key, &[]), *expires, "{key}");
    }
    let last = lab.cli(&["HMGET"], "lock", &["owner", "fence"]);
    assert_eq!(last, format!("owner-of-a-1\n{fence}"), "it ends last now");
    let replayed = extend("secret-of-a-1", Some("newer"), None, 90_000, "print");
    assert_eq!((replayed[0].as_str(), &replayed[1..9]), ("replayed", &extended[1..9]));
    assert_eq!(extend("secret-of-a-1", None, None, 90_000, "other print"), ["reused"]);
    assert_eq!(extend("secret-of-a-1", None, None, 90_000, "")[0], "mismatch", "the secret was replaced");

    let kept = extend("new", None, Some("[\"replaced\"]"), 90_000, "");
    assert_eq!((kept[1].as_str(), kept[4].as_str()), ("a-1.new", "[\"replaced\"]"));
    lab.cli(&["HSET"], "lock", &["a-1!", "breaking"]);
    let breaking = extend("new", None, None, 90_000, "");
    assert_eq!(breaking[0], "breaking");
    assert!((1..=90_000).contains(&number(&breaking[1])));
    lab.end_lease("a-1 1");
    assert_eq!(extend("secret-of-a-1", Some("newer"), None, 90_000, "print"), ["gone"]);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["used", "a-1", "a-1!"]), "2");
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(extend("new", None, None, 90_000, ""), ["missing"]);
    lab.saw_every_reply_of("shared_extend");
}

#[test]
fn shared_release_gives_every_reply_of_its_header_and_a_second_one_frees_nothing() {
    let lab = Lab::on(Redis::shared());
    shared(&lab);
    let release = |id: &str, secret: &str, print: &str| {
        let (request, print) = named(print);
        lab.run(&SharedRelease { id, secret, new_secret: None, after: None, request, print })
    };
    let used = || lab.cli(&["HGET"], "lock", &["used"]);
    assert_eq!(release("a-1", "secret-of-a-2", "print"), ["mismatch"]);
    assert_eq!(release("a-1", "secret-of-a-1", "print"), ["released", "0"]);
    assert_eq!(used(), "2");
    assert_eq!(release("a-1", "secret-of-a-1", "print"), ["replayed"]);
    assert_eq!(release("a-1", "secret-of-a-1", "other print"), ["reused"]);
    assert_eq!(release("a-1", "secret-of-a-1", ""), ["mismatch"]);
    assert_eq!(used(), "2");
    assert_eq!(release("a-2", "secret-of-a-2", ""), ["released", "0"]);
    assert_eq!(lab.keys(), ["fence", "request:k"]);
    assert_eq!(release("a-2", "secret-of-a-2", ""), ["missing"]);
    lab.saw_every_reply_of("shared_release");
}

#[test]
fn a_holder_that_releases_for_later_keeps_its_permits_until_then_and_its_token_is_dead() {
    let lab = Lab::on(Redis::shared());
    shared(&lab);
    let later = |secret, request: Option<&str>| {
        let (new_secret, after, print) = (Some("nobody-knows"), Some(5_000), request);
        lab.run(&SharedRelease { id: "a-2", secret, new_secret, after, request, print })
    };
    assert_eq!(later("secret-of-a-2", Some("k")), ["released", "0"]);
    assert_eq!(later("secret-of-a-2", Some("k")), ["replayed"]);
    assert_eq!(later("secret-of-a-2", None), ["mismatch"]);
    let own = |id, secret| lab.run(&SharedInspect { id: Some(id), secret: Some(secret), most: 0 })[0].clone();
    assert_eq!([own("a-2", "secret-of-a-2"), own("a-1", "secret-of-a-1")], ["mismatch", "own"]);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["used", "owner"]), "3\nowner-of-a-1", "the other ends last now");
    assert!((1..=5_000).contains(&lab.left_of("a-2 2")));
}

#[test]
fn a_break_with_a_grace_shortens_the_lease_of_one_holder_which_may_release_and_not_extend() {
    let lab = Lab::on(Redis::shared());
    let [(fence, _), _] = shared(&lab);
    let (print, grace) = (Some("print"), Some(5_000));
    let call = SharedBreak(Break { fence: Some(&fence), request: Some("k"), print, grace, by: None, reason: None });
    let breaking = lab.run(&call);
    assert_eq!(breaking[..4], ["breaking".into(), "a-1".into(), "owner-of-a-1".into(), fence.clone()]);
    assert_eq!(breaking[4..], ["5000", "0"]);
    let replayed = lab.run(&call);
    assert_eq!((replayed[0].as_str(), &replayed[1..4]), ("replayed", &breaking[1..4]));
    assert!((1..=5_000).contains(&number(&replayed[4])));
    assert!((1..=5_000).contains(&lab.left_of("a-1 1")));
    let told = lab.run(&SharedInspect { id: None, secret: None, most: 10 });
    assert_eq!([&told[15], &told[26]], ["0", "1"], "the break is under way for that holder alone");
    let (request, print, metadata, new_secret) = (None, None, None, None);
    let extend = |id, secret| SharedExtend { id, secret, new_secret, metadata, lease: 90_000, request, print };
    assert_eq!(lab.run(&extend("a-1", "secret-of-a-1"))[0], "breaking");
    assert_eq!(lab.run(&extend("a-2", "secret-of-a-2"))[0], "extended");
    assert_eq!(lab.leave("a-1")[0], "released");
    assert_eq!(lab.cli(&["HMGET"], "lock", &["used", "a-1!"]), "2");
}

#[test]
fn shared_break_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let [(fence, _), (fence_2, _)] = shared(&lab);
    let break_lock = |fence: &str, print: &str| {
        let (request, print) = named(print);
        lab.run(&SharedBreak(Break {
            fence: Some(fence).filter(|fence| !fence.is_empty()),
            request,
            print,
            grace: None,
            by: None,
            reason: None,
        }))
    };
    assert_eq!(break_lock("", ""), ["unnamed", "3", "5", "2"]);
    // An owner and metadata may say whatever they like.
    let other = lab.cli(&["HGET"], "lock", &["a-2"]);
    lab.cli(&["HSET"], "lock", &["owner", &format!("x {fence} y"), "a-2", &format!("{other} {fence} z")]);
    let changed = break_lock("1", "print");
    assert_eq!((changed[0].as_str(), &changed[2]), ("changed", &fence_2));
    let ended = ["a-1", "owner-of-a-1", &fence].map(String::from);
    assert_eq!(break_lock(&fence, "print"), [&["broken".into()], &ended[..], &["0".into()]].concat());
    assert_eq!(break_lock(&fence, "print"), [&["replayed".into()], &ended[..], &["0".into()]].concat());
    assert_eq!(break_lock(&fence, "other print"), ["reused"]);
    assert_eq!(break_lock(&fence, "")[0], "changed");
    assert_eq!(lab.cli(&["HGET"], "lock", &["owner"]), "owner-of-a-2");
    let grace = Some(5_000);
    lab.run(&SharedBreak(Break { fence: Some(&fence_2), request: None, print: None, grace, by: None, reason: None }));
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(break_lock(&fence, ""), ["missing"]);
    lab.saw_every_reply_of("shared_break");
}

#[test]
fn shared_inspect_gives_every_reply_of_its_header_and_never_a_token() {
    let lab = Lab::on(Redis::shared());
    let inspect = |id: &str, secret: &str, most: u64| {
        let (id, secret) = Some((id, secret)).filter(|_| !id.is_empty()).unzip();
        lab.run(&SharedInspect { id, secret, most })
    };
    let [(fence, created), (fence_2, created_2)] = shared(&lab);
    let holder = |id: &str, fence: &str, created: &str| {
        [id, &format!("owner-of-{id}"), "[1.0]", fence, created, created].map(String::from).to_vec()
    };
    let all = inspect("", "", 10);
    assert_eq!(all[..6], ["group", "0", "3", "5", "2", "2"]);
    // The holder that ends last comes first.
    assert_eq!(all[6..12], holder("a-2", &fence_2, &created_2));
    assert_eq!((number(&all[12]), all[14].as_str()), (number(&created_2) + 60_000, "2"));
    assert_eq!(all[17..23], holder("a-1", &fence, &created));
    assert!((1..=30_000).contains(&number(&all[24])), "{all:?}");
    assert_eq!((all[15..17].join(" "), all[26..].join(" ")), ("0 ".into(), "0 ".into()));
    assert!(!all.iter().any(|item| item.contains("secret")), "{all:?}");
    assert_eq!(inspect("", "", 0), ["group", "0", "3", "5", "2", "0"]);
    assert_eq!(inspect("", "", 1)[4..7], ["2", "1", "a-2"]);

    let own = inspect("a-1", "secret-of-a-1", 0);
    assert_eq!((own[0].as_str(), own[1..7].to_vec()), ("own", holder("a-1", &fence, &created)));
    assert_eq!(own[9..], ["1", "5", &fence, ""].map(String::from));
    assert_eq!(inspect("a-1", "secret-of-a-2", 0), ["mismatch"]);
    // A lease that has ended, of a holder that nobody has taken out.
    lab.end_lease("a-1 1");
    assert_eq!(inspect("a-1", "secret-of-a-1", 0), ["mismatch"]);
    assert_eq!(inspect("", "", 10)[..7], ["group", "0", "2", "5", "1", "1", "a-2"]);
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(inspect("", "", 10), ["missing"]);
    lab.acquire("id-1", "request:id-1", "", "30000");
    lab.seen.borrow_mut().retain(|reply| reply != "joined" && reply != "granted");
    assert_eq!(inspect("", "", 10), ["alone"]);
    lab.saw_every_reply_of("shared_inspect");
}
