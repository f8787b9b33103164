//! When Redis is out of memory, locks can still be given back and kept, and none is begun.

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
    let acquire = || {
        let args =
            ["id-2", "token", "me", "[]", "30000", "86400000", "print", "60000", "0", "", "", "3", "0", "0", "0"];
        empty.try_run("acquire", &["lock", "fence", "queue", "queue:turn", "request:k"], &args)
    };
    for _ in 0..2 {
        assert!(out_of_memory(&acquire).starts_with("OOM "));
        assert!(!out_of_memory(&|| empty.try_run("ready", &[], &[])).starts_with("OOM "), "holders are still served");
    }
    assert!(empty.keys().is_empty(), "{:?}", empty.keys());

    let extend = ["token-of-id-1", "token-2", "60000", "86400000", "print", "60000"];
    let extend = || extended.run("extend", &["lock", "fence", "request:k"], &extend)[0].clone();
    assert_eq!(out_of_memory(&extend), "extended");
    assert_eq!(extended.cli(&["HGET"], "lock", &["token"]), "token-2");
    let inspect = || extended.run("inspect", &["lock", "queue"], &["token-2"])[1].clone();
    assert_eq!(out_of_memory(&inspect), "1");
    let keys = ["lock", "queue", "queue:turn", "request:k"];
    let confirm = || extended.run("confirm", &["lock", "confirmation"], &["token", "token-2", "1"])[0].clone();
    assert_eq!(out_of_memory(&confirm), "there");
    let settle = || extended.run("settle", &["incarnation"], &["60000"])[0].clone();
    assert_eq!(out_of_memory(&settle), "settled");
    let release = || released.run("release", &keys, &["token-of-id-1", "print", "60000"])[0].clone();
    assert_eq!(out_of_memory(&release), "released");
    assert_eq!(released.keys(), ["fence", "request:k"]);
    let break_lock = || broken.run("break", &keys, &["", "print", "60000"])[0].clone();
    assert_eq!(out_of_memory(&break_lock), "broken");
    assert_eq!(broken.keys(), ["fence", "request:k"]);
    assert_eq!(out_of_memory(&|| cancelled.cancel("id-1", "request:id-1")[0].clone()), "released");
    assert_eq!(cancelled.keys(), ["fence", "request:id-1"]);
}
