//! Has Redis run a script, and reads its packed replies. A connection is made much faster than a process of redis-cli.

use bytes::Bytes;
use gorilla_scripts::apart;
use redis::{ConnectionInfo, ConnectionLike, IntoConnectionInfo, RedisConnectionInfo, Value};

/// What Redis replies to a script with these keys and so many packed requests, an item a line; an error too. `user` has no
/// password.
pub fn eval(port: u16, user: Option<&str>, source: &str, keys: &[&[u8]], requests: usize, arguments: &[u8]) -> String {
    let mut info: ConnectionInfo = ("127.0.0.1", port).into_connection_info().expect("an address");
    if let Some(user) = user {
        info = info.set_redis_settings(RedisConnectionInfo::default().set_username(user).set_password("none"));
    }
    let client = redis::Client::open(info).expect("a client");
    let mut connection = client.get_connection().expect("Redis accepts");
    let mut command = redis::cmd("EVAL");
    command.arg(source).arg(keys.len()).arg(keys).arg(arguments);
    // `query` would reply with the first error in a list alone.
    let reply = connection.req_packed_command(&command.get_packed_command());
    let lines: Vec<_> = match reply.expect("Redis replies") {
        Value::BulkString(packed) => {
            let replies = apart(&packed.into(), requests).expect("a reply to each request");
            replies.into_iter().flat_map(|reply| reply.map_or_else(|error| vec![error], items)).collect()
        }
        Value::ServerError(error) => vec![format!("{} {}", error.code(), error.details().unwrap_or_default())],
        other => panic!("replies are packed, or one error, and not {other:?}"),
    };
    lines.join("\n")
}

/// What Redis replies to a command, an item a line.
pub fn ask(port: u16, words: &[&str]) -> Vec<String> {
    let client = redis::Client::open(("127.0.0.1", port)).expect("a client");
    let mut connection = client.get_connection().expect("Redis accepts");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    match command.query(&mut connection).expect("Redis replies") {
        Value::Array(lines) => lines.iter().map(text).collect(),
        line => vec![text(&line)],
    }
}

fn text(value: &Value) -> String {
    redis::from_redis_value_ref(value).expect("text")
}

/// The items of a reply to a request.
fn items(packed: Bytes) -> Vec<String> {
    let items: Vec<serde_json::Value> = rmp_serde::from_slice(&packed).expect("a packed list");
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), String::from)).collect()
}
