//! Reads what Redis tells of itself.

use std::collections::HashMap;

use gorilla_wire::{RedisInfo, RedisReplica};

use crate::rfc3339::Rfc3339;

/// Reads the text of INFO. What it does not have is empty or 0.
pub fn read_info(text: &str) -> RedisInfo {
    let fields: HashMap<_, _> = text.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let word = |name: &str| fields.get(name).copied().unwrap_or_default().to_string();
    let whole = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or_default();
    let is_valkey = fields.contains_key("valkey_version");
    let (used, limit) = (whole("used_memory"), whole("maxmemory"));
    let is_limited = limit > 0;
    let written = whole("master_repl_offset");
    let replica = |number: usize| read_replica(fields.get(format!("slave{number}").as_str())?, written);
    RedisInfo {
        server: if is_valkey { "valkey" } else { "redis" }.into(),
        version: word(if is_valkey { "valkey_version" } else { "redis_version" }),
        role: word("role"),
        uptime_seconds: whole("uptime_in_seconds"),
        memory_used_bytes: used,
        memory_limit_bytes: is_limited.then_some(limit),
        memory_percent: is_limited.then(|| (used as f64 * 1000.0 / limit as f64).round() / 10.0),
        eviction_policy: word("maxmemory_policy"),
        aof: whole("aof_enabled") == 1,
        aof_ok: fields.get("aof_last_write_status").is_none_or(|status| *status == "ok"),
        saved_at: Rfc3339::from_millis((whole("rdb_last_save_time") as i64).saturating_mul(1000)).as_str().into(),
        save_ok: fields.get("rdb_last_bgsave_status").is_none_or(|status| *status == "ok"),
        clients: whole("connected_clients"),
        commands_per_second: whole("instantaneous_ops_per_sec"),
        replicas: (0..whole("connected_slaves").min(1000) as usize).filter_map(replica).collect(),
    }
}

/// Reads `ip=10.0.0.6,port=6379,state=online,offset=1234,lag=0`.
fn read_replica(line: &str, written: u64) -> Option<RedisReplica> {
    let fields: HashMap<_, _> = line.split(',').filter_map(|field| field.split_once('=')).collect();
    let host = fields.get("ip")?;
    let port = fields.get("port")?;
    let offset = fields.get("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0);
    Some(RedisReplica {
        address: if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") },
        state: fields.get("state").copied().unwrap_or_default().into(),
        lag_seconds: fields.get("lag").and_then(|lag| lag.parse().ok()),
        behind_bytes: written.saturating_sub(offset),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_tells_is_read() {
        let text = "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:60\r\nused_memory:250\r\nmaxmemory:1000\r\n\
            maxmemory_policy:noeviction\r\nrole:master\r\nconnected_slaves:2\r\nmaster_repl_offset:900\r\n\
            slave0:ip=10.0.0.6,port=6379,state=online,offset=880,lag=1\r\nslave1:ip=::1,port=1,state=wait_bgsave,offset=0,lag=0\r\n\
            aof_enabled:1\r\naof_last_write_status:err\r\nrdb_last_save_time:1795801900\r\n";
        let info = read_info(text);
        assert_eq!((info.server.as_str(), info.version.as_str(), info.role.as_str()), ("redis", "7.0.15", "master"));
        assert_eq!((info.memory_percent, info.memory_limit_bytes), (Some(25.0), Some(1000)));
        assert_eq!((info.aof, info.aof_ok, info.save_ok), (true, false, true));
        assert_eq!(info.saved_at, "2026-11-27T17:51:40.000Z");
        let replicas: Vec<_> = info
            .replicas
            .iter()
            .map(|replica| (replica.address.as_str(), replica.state.as_str(), replica.behind_bytes))
            .collect();
        assert_eq!(replicas, [("10.0.0.6:6379", "online", 20), ("[::1]:1", "wait_bgsave", 900)]);
    }

    #[test]
    fn valkey_is_told_from_redis_and_no_limit_is_none() {
        let info = read_info("redis_version:7.2.4\nvalkey_version:8.0.1\nmaxmemory:0\nused_memory:5\n");
        assert_eq!((info.server.as_str(), info.version.as_str()), ("valkey", "8.0.1"));
        assert_eq!((info.memory_limit_bytes, info.memory_percent), (None, None));
        assert_eq!(read_info("").replicas.len(), 0);
    }
}
