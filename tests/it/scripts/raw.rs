//! Has Redis run a script, and reads its packed replies.

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
