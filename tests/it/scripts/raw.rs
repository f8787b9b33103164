//! Has Redis run a script, and reads its packed replies. A connection is made much faster than a process of redis-cli.

use redis::{ConnectionInfo, ConnectionLike, IntoConnectionInfo, RedisConnectionInfo, Value};

/// What Redis replies to a script with these keys and packed requests, an item a line; an error too. `user` has no password.
pub fn eval(port: u16, user: Option<&str>, source: &str, keys: &[&[u8]], arguments: &[u8]) -> String {
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
    let mut lines = Vec::new();
    match reply.expect("Redis replies") {
        Value::Array(replies) => replies.iter().for_each(|reply| print(reply, &mut lines)),
        error => print(&error, &mut lines),
    }
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

/// A reply to a request.
fn print(reply: &Value, lines: &mut Vec<String>) {
    match reply {
        Value::BulkString(packed) => {
            let items: Vec<serde_json::Value> = rmp_serde::from_slice(packed).expect("a packed list");
            lines.extend(items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), String::from)));
        }
        Value::ServerError(error) => lines.push(format!("{} {}", error.code(), error.details().unwrap_or_default())),
        other => panic!("a reply is packed or an error, and not {other:?}"),
    }
}
