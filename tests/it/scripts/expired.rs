//! `lua/expired.lua`

use gorilla_scripts::Expired;

use super::{Lab, number};
use crate::harness::Redis;

#[test]
fn expired_gives_every_reply_of_its_header_and_takes_no_other_end_for_that_of_a_lease() {
    let redis = Redis::start(&[]);
    let lab = Lab::on(&redis);
    let granted = lab.acquire("id-1", "request:id-1", "", "30000");
    lab.seen.borrow_mut().clear();
    let (fence, created) = (granted[1].as_str(), number(&granted[2]));
    let ask = |ended, latest| {
        let (id, owner, kind, created) = ("id-1", "owner-of-id-1", "expired", Some(created));
        lab.run(&Expired { id, owner, fence, created, ended, latest, floor: None, kind, by: None, reason: None })
    };
    let lasts = |reply: Vec<String>| {
        assert_eq!(reply[0], "held");
        assert!((1..=30_000).contains(&number(&reply[1])), "{reply:?}");
    };
    let recorded = || redis.cli(&["XLEN", "scripted:events"]);
    assert_eq!(redis.cli(&["XADD", "scripted:events", "1-0", "begun", "0"]), "1-0");
    // The replica believes that it is later than it is.
    lasts(ask(created + 30_000, fence));
    // Somebody has ended the grant since, which is recorded, and the replica has not read that yet.
    lab.cli(&["DEL"], "lock", &[]);
    lasts(ask(created + 30_000, fence));
    assert_eq!(recorded(), "1");
    assert_eq!(ask(created, "1"), ["superseded"]);
    assert_eq!(ask(created, fence), ["ended"]);
    assert_eq!(recorded(), "2");
    assert_eq!(ask(created, fence), ["told"]);
    assert_eq!(recorded(), "2");
    lab.saw_every_reply_of("expired");
}
