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
        let counts: Vec<_> = requests.iter().map(|(keys, _)| keys.len().to_string()).collect();
        let (number, counts) = (keys.len().to_string(), counts.join(" "));
        let call = ["EVAL", &source, &number].into_iter().chain(keys.iter().map(String::as_str));
        let args = requests.iter().flat_map(|(_, args)| args).copied();
        self.redis.cli(&call.chain([counts.as_str()]).chain(args).collect::<Vec<_>>())
    }
}

fn acquire<'a>(lock: &'a str, fence: &'a str, id: &'a str) -> Request<'a> {
    let args =
        [id, "token", "me", "[]", "60000", "86400000", "", "60000", "0", CHANNEL, "", "3", "10000", "120000", "0"];
    (vec![lock, fence, "queue", "queue:turn", "request:a"], args.into())
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

    let release = |lock| (vec![lock, "queue", "queue:turn"], vec!["token", "", "60000"]);
    let reply = lab.batch("release", &[release("lock"), release("lock"), release("other")]);
    assert_eq!(reply.lines().collect::<Vec<_>>(), ["released", "0", "missing", "released", "0"]);
    assert_eq!(lab.keys(), ["f", "fence"]);
}

#[test]
fn requests_of_a_batch_may_have_different_numbers_of_keys() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("a", "request:a", "", "60000");
    let release = |keys: &[&'static str], token| (keys.to_vec(), vec![token, "print", "60000"]);
    let keys = ["lock", "queue", "queue:turn", "request:k"];
    let reply =
        lab.batch("release", &[release(&keys[..3], "none"), release(&keys, "token-of-a"), release(&keys[..3], "none")]);
    assert_eq!(reply.lines().collect::<Vec<_>>(), ["mismatch", "released", "0", "missing"]);
    assert_eq!(lab.keys(), ["fence", "request:k"]);
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
