//! When Redis is out of memory, holders can still extend and release, and no lock is granted.

use gorilla_scripts::{
    Acquire, Break, Claim, Confirm, Extend, Handover, Hold, Inspect, Ready, Release, ReleaseLater, Settle, TakeAll, Try,
};

use super::Lab;
use crate::harness::Redis;

#[test]
fn out_of_memory_only_acquire_is_refused_and_before_it_changes_anything() {
    let redis = Redis::start(&[]);
    let labs = [Lab::on(&redis), Lab::on(&redis), Lab::on(&redis), Lab::on(&redis)];
    for lab in &labs {
        lab.acquire("id-1", "request:id-1", "", "30000");
    }
    let [released, extended, broken, cancelled] = &labs;
    let empty = Lab::on(&redis);
    // The users that the labs make need memory too, and one is made for each call.
    let out_of_memory = |call: &dyn Fn() -> String| {
        redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        let reply = call();
        redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        reply
    };
    let arguments = Acquire {
        id: "id-2",
        token: "token",
        owner: "me",
        metadata: "[]",
        lease: 30_000,
        request: Some("k"),
        print: Some("print"),
        wait: None,
        channel: "",
        rank: None,
        by: None,
    };
    let acquire = || empty.try_run(&Try(arguments));
    let (ids, tokens, owner, metadata) = (vec!["id-2"], vec!["token"], "me", "[]");
    let set =
        TakeAll { ids, tokens, owner, metadata, lease: 30_000, request: None, print: None, channel: "", by: None };
    assert!(out_of_memory(&|| empty.try_run(&set)).starts_with("OOM "));
    // The store then releases alone.
    let release = Release { token: "token-of-id-1", request: None, print: None };
    let hand_over = || released.try_run(&Handover { release, claim: Claim { asked: arguments, arrived: None } });
    assert!(out_of_memory(&hand_over).starts_with("OOM "));
    assert_eq!(released.cli(&["HGET"], "lock", &["id"]), "id-1");
    for _ in 0..2 {
        assert!(out_of_memory(&acquire).starts_with("OOM "));
        assert!(
            !out_of_memory(&|| empty.try_run_on(None, None, &Ready {})).starts_with("OOM "),
            "holders are still served"
        );
    }
    assert!(empty.keys().is_empty(), "{:?}", empty.keys());

    let (request, print) = (Some("k"), Some("print"));
    let extend = Extend { token: "token-of-id-1", new_token: "token-2", lease: 60_000, metadata: None, request, print };
    assert_eq!(out_of_memory(&|| extended.run(&extend)[0].clone()), "extended");
    assert_eq!(extended.cli(&["HGET"], "lock", &["token"]), "token-2");
    let inspect = Inspect { token: Some("token-2") };
    assert_eq!(out_of_memory(&|| extended.run(&inspect)[1].clone()), "1");
    let confirm = Confirm { field: "token", value: "token-2", given: true };
    let confirm = || extended.run_on(Some("lock"), Some("confirmation"), &confirm)[0].clone();
    assert_eq!(out_of_memory(&confirm), "there");
    let hold = Hold { id: "id-1", lease: 90_000, request: Some("k-2"), print: Some("set:print"), commit: true };
    assert_eq!(out_of_memory(&|| extended.run(&hold)[0].clone()), "held");
    let settle = || extended.run_on(Some("incarnation"), None, &Settle {})[0].clone();
    assert_eq!(out_of_memory(&settle), "settled");
    let release = Release { token: "token-of-id-1", request, print };
    assert_eq!(out_of_memory(&|| released.run(&release)[0].clone()), "released");
    assert_eq!(released.keys(), ["fence", "request:k"]);
    let lab = Lab::on(&redis);
    lab.acquire("id-1", "request:id-1", "", "30000");
    let later = ReleaseLater { token: "token-of-id-1", new_token: "token-2", after: 5000, request, print };
    assert_eq!(out_of_memory(&|| lab.run(&later)[0].clone()), "released");
    let break_lock = Break { fence: None, request, print, grace: None, by: None, reason: None };
    assert_eq!(out_of_memory(&|| broken.run(&break_lock)[0].clone()), "broken");
    assert_eq!(broken.keys(), ["broken", "fence", "request:k"]);
    assert_eq!(out_of_memory(&|| cancelled.cancel("id-1", "request:id-1")[0].clone()), "released");
    assert_eq!(cancelled.keys(), ["fence", "request:id-1"]);
}
