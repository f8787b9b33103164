//! The two scripts of a cycle as the store sends them: the same text, keys and arguments, so that what Redis does for a
//! contestant is what it does for Gorilla.

use crate::scripts::{acquire_args, whole};

/// A script, and all that EVALSHA is given behind its digest.
pub struct Call {
    /// The text, with the part that scripts share.
    pub source: String,
    /// The number of keys, the keys, the arguments.
    pub args: Vec<String>,
}

/// As the store makes them: a version 4 and a version 7.
const TOKEN: &str = "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31";
const ID: &str = "019ab6f0-3d52-7c11-a2f4-5b8e1d9c4e77";

/// Takes the lock of `resource` for so many milliseconds. The other keys are those of `rest`, another resource or the same.
pub fn acquire(resource: &str, rest: &str, lease: u128) -> Call {
    let keys = [
        format!("gorilla:{{{resource}}}:lock"),
        format!("gorilla:{{{rest}}}:fence"),
        format!("gorilla:{{{rest}}}:queue"),
        format!("gorilla:{{{rest}}}:queue:turn"),
        format!("gorilla:{{{rest}}}:request:{ID}"),
    ];
    let lease = lease.to_string();
    let args = acquire_args(ID, TOKEN, &lease);
    Call::new(include_str!("../../../lua/acquire.lua"), &keys, &args)
}

/// Gives it back.
pub fn release(resource: &str, rest: &str) -> Call {
    let keys = [
        format!("gorilla:{{{resource}}}:lock"),
        format!("gorilla:{{{rest}}}:queue"),
        format!("gorilla:{{{rest}}}:queue:turn"),
    ];
    Call::new(include_str!("../../../lua/release.lua"), &keys, &[TOKEN, "", "60000"])
}

impl Call {
    fn new(text: &str, keys: &[String], args: &[&str]) -> Self {
        let source = whole(text);
        let given = args.iter().map(ToString::to_string);
        let args = [keys.len().to_string()].into_iter().chain(keys.iter().cloned()).chain(given).collect();
        Self { source, args }
    }
}

#[cfg(test)]
mod tests {
    use gorilla_harness::{Redis, Replica, token};

    use super::*;

    /// What a replica sent last behind the digest of that script, which is only found if the text is the same.
    fn sent(redis: &Redis, script: &Call) -> Vec<String> {
        let sha = redis.cli(&["SCRIPT", "LOAD", &script.source]);
        let log = redis.cli(&["--json", "SLOWLOG", "GET", "50"]);
        let log: Vec<serde_json::Value> = serde_json::from_str(&log).expect("the slow log is JSON");
        let mut commands = log.iter().filter_map(|entry| serde_json::from_value::<Vec<String>>(entry[3].clone()).ok());
        let call = commands.find(|command| command[0].eq_ignore_ascii_case("EVALSHA") && command[1] == sha);
        call.unwrap_or_else(|| panic!("no replica sent {sha}: {log:?}"))[2..].to_vec()
    }

    /// What stays when one resource, id, token or channel is put for another.
    fn shape(argument: &str) -> String {
        let (start, end) = (argument.find('{'), argument.find('}'));
        let resource = start.zip(end).map_or("", |(start, end)| &argument[start..=end]);
        let argument = if resource.is_empty() { argument.into() } else { argument.replace(resource, "{}") };
        let is_random = argument.starts_with("gorilla:") || argument.len() == ID.len();
        let hidden = |character: char| if character.is_ascii_hexdigit() { 'x' } else { character };
        if is_random { argument.chars().map(hidden).collect() } else { argument }
    }

    #[tokio::test]
    async fn the_calls_are_those_that_a_replica_makes() {
        let redis = Redis::start(&["--appendonly", "no", "--slowlog-log-slower-than", "0"]);
        let replica = Replica::on(&redis).await;
        let name = "bench-000000000042";
        let lock = replica.api.granted(name, "bench", 30).await;
        assert_eq!(replica.api.release(name, token(&lock)).await.status, 204);
        for call in [acquire(name, name, 30_000), release(name, name)] {
            let shapes = |args: &[String]| args.iter().map(|argument| shape(argument)).collect::<Vec<_>>();
            assert_eq!(shapes(&call.args), shapes(&sent(&redis, &call)));
        }
    }
}
