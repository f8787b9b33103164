//! Many requests in one command end as they would one by one.

use gorilla::store::Script;

use super::{CHANNEL, Lab, text};
use crate::harness::Redis;

/// A request: its keys, by what they are, and its arguments.
type Request<'a> = (Vec<&'a str>, Vec<&'a str>);

impl Lab<'_> {
    /// What Redis says to a batch, an item a line.
    fn batch(&self, script: &str, requests: &[Request]) -> String {
        let source = Script::new(&text(script)).many.source;
        let keys: Vec<_> = requests.iter().flat_map(|(keys, _)| keys).map(|what| self.key(what)).collect();
        let (number, width) = (keys.len().to_string(), requests[0].0.len().to_string());
        let first = &requests[0].1;
        let differing: Vec<_> =
            (0..first.len()).filter(|&place| requests.iter().any(|(_, args)| args[place] != first[place])).collect();
        let places = differing.iter().map(|place| (place + 1).to_string()).collect::<Vec<_>>().join(" ");
        let call = ["EVAL", &source, &number].into_iter().chain(keys.iter().map(String::as_str));
        let rest = requests[1..].iter().flat_map(|(_, args)| differing.iter().map(|&place| args[place]));
        let call = call.chain([width.as_str(), places.as_str()]).chain(first.iter().copied()).chain(rest);
        self.redis.cli(&call.collect::<Vec<_>>())
    }
}

fn acquire<'a>(lock: &'a str, fence: &'a str, id: &'a str) -> Request<'a> {
    let args =
        [id, "token", "me", "[]", "60000", "86400000", "", "60000", "0", CHANNEL, "", "3", "10000", "120000", "0"];
    (vec![lock, fence, "queue", "queue:turn", "request:a"], args.into())
}

fn release(lock: &str) -> Request<'_> {
    (vec![lock, "queue", "queue:turn"], vec!["token", "", "60000"])
}

#[test]
fn each_request_of_a_batch_is_decided_after_those_before_it() {
    let lab = Lab::on(Redis::shared());
    let reply = lab
        .batch("acquire", &[acquire("lock", "fence", "a"), acquire("lock", "fence", "b"), acquire("other", "f", "c")]);
    let lines: Vec<_> = reply.lines().collect();
    assert_eq!(lines[0], "granted");
    // Held by the first, whose fence it tells.
    assert_eq!((lines[3], lines[4], lines[5]), ("held", "me", lines[1]));
    assert_eq!(lines[9], "granted", "{reply}");
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "a");

    let reply = lab.batch("release", &[release("lock"), release("lock"), release("other")]);
    assert_eq!(reply.lines().collect::<Vec<_>>(), ["released", "0", "missing", "released", "0"]);
    assert_eq!(lab.keys(), ["f", "fence"]);
}

#[test]
fn what_requests_of_a_batch_have_in_common_is_sent_once() {
    let lab = Lab::on(Redis::shared());
    lab.batch("acquire", &[acquire("a", "f", "a"), acquire("b", "f", "b")]);
    // Nothing differs.
    let reply = lab.batch("release", &[release("a"), release("a"), release("b")]);
    assert_eq!(reply.lines().collect::<Vec<_>>(), ["released", "0", "missing", "released", "0"]);

    // Two of the arguments differ only in the second.
    let mut other = acquire("b", "f", "b");
    (other.1[1], other.1[3]) = ("token-of-b", "[1]");
    lab.batch("acquire", &[acquire("a", "f", "a"), other, acquire("c", "f", "c")]);
    for (lock, values) in [("a", "a token []"), ("b", "b token-of-b [1]"), ("c", "c token []")] {
        let reply = lab.cli(&["HMGET"], lock, &["id", "token", "metadata"]);
        assert_eq!(reply.lines().collect::<Vec<_>>().join(" "), values);
    }
}

#[test]
fn a_request_that_fails_has_its_error_in_its_place_and_the_others_go_on() {
    let lab = Lab::on(Redis::shared());
    lab.cli(&["SET"], "text", &["no hash"]);
    let mut short = acquire("lock", "fence", "c");
    // Not a number: an error of Lua's, not of Redis's.
    short.1[4] = "long";
    let reply = lab.batch("acquire", &[acquire("text", "f", "a"), short, acquire("other", "fence", "b")]);
    let lines: Vec<_> = reply.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines[0].starts_with("WRONGTYPE "), "{reply}");
    assert!(lines[1].contains("arithmetic"), "{reply}");
    // What the second had written stays, as it does when a script fails by itself.
    assert_eq!(lines[2], "granted", "{reply}");
    assert_eq!(lab.cli(&["HGET"], "other", &["id"]), "b");
}
