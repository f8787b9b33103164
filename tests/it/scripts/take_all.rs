//! `lua/take_all.lua`, with a set of one part: the lab has the keys of one resource. `sets::answers` has larger sets.

use gorilla_scripts::TakeAll;

use super::{CHANNEL, Lab, number};
use crate::harness::Redis;

const KEY: &str = "request:k";
const PRINT: &str = "set:print";

impl Lab<'_> {
    #[track_caller]
    fn take_all(&self, id: &str, keyed: bool) -> Vec<String> {
        let (request, print) = Some(("k", PRINT)).filter(|_| keyed).unzip();
        let (token, owner) = (format!("token-of-{id}"), format!("owner-of-{id}"));
        let (ids, tokens) = (vec![id], vec![token.as_str()]);
        let (owner, metadata, lease, channel) = (owner.as_str(), "[1.0]", 60_000, CHANNEL);
        self.run(&TakeAll { ids, tokens, owner, metadata, lease, request, print, channel, by: None })
    }
}

#[test]
fn take_all_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let granted = lab.take_all("id-1", false);
    let facts = lab.cli(&["HMGET"], "lock", &["id", "token", "owner", "metadata", "fence", "created", "updated"]);
    let [created, fence] = [&granted[1], &granted[2]];
    assert_eq!(granted[0], "granted");
    assert_eq!(facts, format!("id-1\ntoken-of-id-1\nowner-of-id-1\n[1.0]\n{fence}\n{created}\n{created}"));
    assert_eq!(number(&lab.cli(&["PEXPIRETIME"], "lock", &[])), number(created) + 60_000);
    assert_eq!(lab.keys(), ["fence", "lock"]);
    let blocked = lab.take_all("id-2", true);
    assert_eq!(blocked[..5], ["blocked", "1", "held", "owner-of-id-1", fence].map(String::from));
    assert_eq!(lab.keys(), ["fence", "lock"]);
    lab.queue("id-3", "request:id-3", "", "30000", "60000", "");
    lab.release("id-1");
    lab.seen.borrow_mut().retain(|name| name != "queued" && name != "released");
    assert_eq!(lab.take_all("id-4", false), ["blocked", "1", "reserved", "1", "0"]);
    // What try.lua has to decide: a group of holders, and a request of which Redis has a record.
    lab.cli(&["DEL"], "queue", &[]);
    lab.cli(&["HSET"], "lock", &["mode", "shared"]);
    assert_eq!(lab.take_all("id-5", false), ["unsure", "1"]);
    lab.cli(&["DEL"], "lock", &[]);
    lab.cancel("id-6", "request:id-6");
    lab.seen.borrow_mut().remove("marked");
    assert_eq!(lab.take_all("id-6", false), ["unsure", "1"], "it was cancelled before it arrived");
    lab.saw_every_reply_of("take_all");
}

#[test]
fn a_set_that_was_taken_in_one_step_is_committed_with_it() {
    let lab = Lab::on(Redis::shared());
    let granted = lab.take_all("id-1", true);
    assert_eq!(lab.take_all("id-2", true), ["unsure", "1"]);
    let replayed = lab.acquire("id-2", KEY, PRINT, "5000");
    assert_eq!(replayed[..5], ["replayed", &granted[2], &granted[1], "id-1", "token-of-id-1"].map(String::from));
    assert!((50_000..=60_000).contains(&number(&replayed[5])), "{replayed:?}");
    lab.release("id-1");
    assert_eq!(lab.acquire("id-3", KEY, PRINT, "5000"), ["gone"]);
}
