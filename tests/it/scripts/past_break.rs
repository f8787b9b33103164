//! `lua/past_break.lua`, and what `lua/break.lua` and `lua/shared_break.lua` leave for it.

use gorilla_scripts::{Break, PastBreak, SharedBreak};

use super::{AT_ONCE, Lab, number};
use crate::harness::Redis;

/// A break without anything that may be absent.
const BREAK: Break = Break { fence: None, request: None, print: None, grace: None, by: None, reason: None };

/// Gives the break that was made last, which alone has the time of a clock, a small number as its time.
const NUMBER_THE_NEWEST: &str = "
    local all = redis.call('HGETALL', KEYS[1])
    for index = 1, #all, 2 do
        local newest = tonumber(cjson.decode(all[index + 1])[1]) > 1000
        if newest then redis.call('HSET', KEYS[1], all[index], cjson.encode({ARGV[1], '', ''})) end
    end";

fn past(lab: &Lab, token: &str) -> Vec<String> {
    lab.run(&PastBreak { token })
}

#[test]
fn past_break_gives_every_reply_of_its_header_to_the_holder_alone() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:id-1", "", "30000");
    lab.seen.borrow_mut().clear();
    assert_eq!(past(&lab, "token-of-id-1"), ["unknown"]);
    lab.try_run(&Break { by: Some("ops"), reason: Some("its \"host\" is gone 🦍"), ..BREAK });
    let told = past(&lab, "token-of-id-1");
    assert_eq!(told[..1], ["broken"]);
    assert_eq!(told[2..], ["ops", "its \"host\" is gone 🦍"]);
    let now = number(lab.redis.cli(&["TIME"]).lines().next().expect("the seconds"));
    assert!((now - 60..=now + 1).contains(&(number(&told[1]) / 1000)), "{told:?}");
    assert_eq!(past(&lab, "token-of-id-2"), ["unknown"]);
    lab.saw_every_reply_of("past_break");

    // Redis keeps no token, and forgets it all after 25 hours.
    assert!(!lab.cli(&["HGETALL"], "broken", &[]).contains("token-of"));
    assert!((89_000_000..=90_000_000).contains(&number(&lab.cli(&["PTTL"], "broken", &[]))));
}

#[test]
fn each_holder_is_told_of_its_own_break_and_a_later_one_of_none_before() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:id-1", "", "30000");
    lab.run(&BREAK);
    lab.acquire("id-2", "request:id-2", "", "30000");
    assert_eq!(past(&lab, "token-of-id-2"), ["unknown"]);
    lab.run(&Break { grace: Some(20_000), reason: Some("first"), ..BREAK });
    assert_eq!(past(&lab, "token-of-id-2")[2..], ["", "first"], "also before the grace is over");
    lab.run(&Break { reason: Some("second"), ..BREAK });
    assert_eq!(past(&lab, "token-of-id-1")[2..], ["", ""]);
    assert_eq!(past(&lab, "token-of-id-2")[2..], ["", "second"], "the break that has ended it");
}

#[test]
fn a_break_that_changes_nothing_leaves_nothing() {
    let lab = Lab::on(Redis::shared());
    assert_eq!(lab.run(&BREAK), ["missing"]);
    lab.acquire("id-1", "request:id-1", "", "30000");
    assert_eq!(lab.run(&Break { fence: Some("1"), ..BREAK })[0], "changed");
    assert_eq!(lab.keys(), ["fence", "lock"]);
}

#[test]
fn of_a_shared_lock_the_holder_that_was_broken_is_told_and_no_other() {
    let lab = Lab::on(Redis::shared());
    for id in ["a-1", "a-2", "a-3"] {
        lab.join(id, "*1/5", AT_ONCE);
    }
    let fence = |id: &str| lab.cli(&["HGET"], "lock", &[id]).split(' ').nth(1).expect("a fence").to_string();
    let fences = ["a-1", "a-2"].map(fence);
    lab.run(&SharedBreak(Break { fence: Some(&fences[0]), reason: Some("at once"), ..BREAK }));
    lab.run(&SharedBreak(Break { fence: Some(&fences[1]), grace: Some(9_000), by: Some("ops"), ..BREAK }));
    assert_eq!(past(&lab, "a-1.secret-of-a-1")[2..], ["", "at once"]);
    assert_eq!(past(&lab, "a-2.secret-of-a-2")[2..], ["ops", ""]);
    assert_eq!(past(&lab, "a-3.secret-of-a-3"), ["unknown"]);
    assert_eq!(past(&lab, "a-1.secret-of-a-2"), ["unknown"]);
}

#[test]
fn of_many_breaks_the_oldest_are_forgotten() {
    let lab = Lab::on(Redis::shared());
    let ids: Vec<_> = (0..70).map(|index| format!("id-{index}")).collect();
    for (index, id) in ids.iter().enumerate() {
        lab.acquire(id, &format!("request:{id}"), "", "30000");
        lab.run(&BREAK);
        // Several breaks may be made in one millisecond, and then any of them may be forgotten first.
        lab.redis.cli(&["EVAL", NUMBER_THE_NEWEST, "1", &lab.key("broken"), &(index + 1).to_string()]);
    }
    assert_eq!(lab.cli(&["HLEN"], "broken", &[]), "64");
    let known: Vec<_> = ids.iter().map(|id| past(&lab, &format!("token-of-{id}"))[0] == "broken").collect();
    assert_eq!(known, (0..70).map(|index| index >= 6).collect::<Vec<_>>());
}
