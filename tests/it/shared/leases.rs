//! Leases of holders that share a lock: each has its own, and the last of them ends the group.

use super::*;
use crate::harness::name;

fn pttl(redis: &Redis, resource: &str, what: &str) -> i64 {
    redis.cli(&["PTTL", &format!("gorilla:{{{resource}}}:{what}")]).parse().expect("a number")
}

#[tokio::test]
async fn a_short_lease_never_shortens_a_long_one_and_the_group_ends_with_the_last() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("short");
    let long = ask(one, &resource, "long", Reader, 60.0).await.json();
    let short = ask(two, &resource, "short", Reader, 5.0).await.json();
    for what in ["lock", "holders"] {
        assert!(pttl(&redis, &resource, what) > 50_000, "{what} lasts as long as the long lease");
    }
    assert_eq!(two.state(&resource).await["owner"], "long", "the holder that ends last");
    released(two, &resource, &long).await;
    for what in ["lock", "holders"] {
        assert!((1..=5_000).contains(&pttl(&redis, &resource, what)), "{what} lasts as long as the short lease");
    }
    assert_eq!(one.state(&resource).await["owner"], "short");
    released(one, &resource, &short).await;
    assert_eq!(keys(&redis, &resource), Vec::<String>::new());
}

#[tokio::test]
async fn a_writer_enters_when_the_last_lease_has_ended_whoever_extended_it() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("ends");
    ask(one, &resource, "gone", Reader, 0.5).await;
    let kept = ask(two, &resource, "kept", Reader, 0.5).await.json();
    let extended = two.extend(&resource, token(&kept), 2).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    let since = Instant::now();
    let writer = granted(waits(&redis, one, &resource, "writer", Alone).await).await;
    assert!(since.elapsed() > Duration::from_millis(1500), "the extended lease lasted");
    assert!(writer["floor"].is_null() && writer["fence"].as_u64() > kept["fence"].as_u64());
}

#[tokio::test]
async fn permits_come_free_when_a_lease_ends_and_the_next_enters_without_a_release() {
    let (redis, replicas) = replicas(2).await;
    let [one, two] = [0, 1].map(|index| &replicas[index].api);
    let resource = name("lapses");
    held(one, &resource, "stays", Of(1, 2)).await;
    ask(one, &resource, "lapses", Of(1, 2), 1.0).await;
    let next = waits(&redis, two, &resource, "next", Of(1, 2)).await;
    granted(next).await;
    assert_eq!(field(&redis, &resource, "used"), "2");
}

/// Of each of their tokens.
const SECRET: &str = "11111111-1111-4111-8111-111111111111";

/// Makes a group in which so many readers' leases end in one millisecond, and one lasts; its holder's token.
fn crowd(redis: &Redis, resource: &str, readers: usize, ends_in: u64, lasts: u64) -> String {
    let script = "local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local us = string.format('%.0f', time[1] * 1000000 + time[2])
        local function add(id, ends)
          redis.call('HSET', KEYS[1], id, ARGV[4] .. ' ' .. us .. ' 1 ' .. now .. ' ' .. now .. ' 2 me []')
          redis.call('ZADD', KEYS[2], string.format('%.0f', ends), id .. ' 1')
        end
        for index = 1, tonumber(ARGV[1]) do add(string.format('00000000-0000-7000-8000-%012d', index), now + ARGV[2]) end
        add('00000000-0000-7000-8000-ffffffffffff', now + ARGV[3])
        redis.call('HSET', KEYS[1], 'mode', 'shared', 'used', ARGV[1] + 1, 'limit', 'none', 'floor', us, 'owner', 'me',
          'fence', us, 'bound', '0', 'reserved', '0')
        redis.call('PEXPIREAT', KEYS[1], now + ARGV[3])
        redis.call('PEXPIREAT', KEYS[2], now + ARGV[3])";
    let [lock, holders] = ["lock", "holders"].map(|what| format!("gorilla:{{{resource}}}:{what}"));
    let [readers, ends_in, lasts] = [readers as u64, ends_in, lasts].map(|number| number.to_string());
    redis.cli(&["EVAL", script, "2", &lock, &holders, &readers, &ends_in, &lasts, SECRET]);
    format!("00000000-0000-7000-8000-ffffffffffff.{SECRET}")
}

#[tokio::test]
async fn ten_thousand_leases_that_end_at_once_are_taken_out_a_few_at_a_time_and_then_the_writer_enters() {
    let (redis, replicas) = replicas(1).await;
    let (api, resource) = (&replicas[0].api, name("crowd"));
    let last = crowd(&redis, &resource, 9_999, 1, 25_000);
    eventually("they have ended", SOON, || async { api.state(&resource).await["holderCount"] == 1 }).await;
    let count =
        || -> usize { redis.cli(&["ZCARD", &format!("gorilla:{{{resource}}}:holders")]).parse().expect("a number") };
    assert_eq!(count(), 10_000, "nobody has taken them out");
    // A token is dead though its holder is still there.
    for reader in ["000000000001", "000000009999"] {
        let (before, token) = (count(), format!("00000000-0000-7000-8000-{reader}.{SECRET}"));
        let extended = api.extend(&resource, &token, 30).await;
        assert_eq!(extended.code(), "token_mismatch", "{extended:?}");
        assert!(before - count() <= 256, "{before} before, {} after", count());
        assert_eq!(api.release(&resource, &token).await.status, 404);
    }
    assert_eq!(field(&redis, &resource, "used"), count().to_string());

    let writer = waits(&redis, &replicas[0].api, &resource, "writer", Alone).await;
    eventually("the ended are taken out", Duration::from_secs(5), || async { count() == 1 }).await;
    assert_eq!(field(&redis, &resource, "used"), "1");
    assert!(!writer.is_finished());
    assert_eq!(api.release(&resource, &last).await.status, 204);
    granted(writer).await;
}
