//! What holders of a shared lock cost Redis.

use gorilla_scripts::{Constants, SharedRelease};

use super::{CONSTANTS, Lab, number, raw};
use crate::harness::Redis;

/// Makes a group that has no room, and a queue of requests for one permit each. ARGV: the stem of the keys, how many
/// there are of each, a lease (ms). The ids are as long as UUIDs.
const CROWD: &str = "
    local stem, count = ARGV[1], tonumber(ARGV[2])
    local now = redis.call('TIME')
    local ms = now[1] * 1000
    local ends = string.format('%.0f', ms + ARGV[3])
    local function id(kind, index) return string.format('01900000-0000-7000-8%03d-%012d', kind, index) end
    local function each(index)
        local rest = string.format('%s %s000 1 %.0f %.0f 7 someone [\"deploy\"]', id(9, index), ends, ms, ms)
        redis.call('HSET', stem .. 'lock', id(1, index), rest)
        redis.call('ZADD', stem .. 'holders', ends, id(1, index) .. ' 1')
        redis.call('ZADD', stem .. 'queue', string.format('%.0f', ms * 1000 + index),
            id(2, index) .. '*1/' .. count .. ' gorilla:wake:' .. index % 3 .. ' someone')
    end
    for index = 1, count do each(index) end
    redis.call('HSET', stem .. 'lock', 'mode', 'shared', 'used', count, 'limit', count, 'floor', ends .. '000',
        'owner', 'someone', 'fence', ends .. '000', 'bound', 0, 'reserved', 0)
    for _, key in ipairs({'lock', 'holders', 'queue'}) do redis.call('PEXPIREAT', stem .. key, ends) end
    return 'OK'";

impl Lab<'_> {
    fn crowd(&self, count: usize) {
        raw::ask(self.redis.port, &["EVAL", CROWD, "0", &self.key(""), &count.to_string(), "3600000"]);
    }

    /// Redis's time for the release of a holder (microseconds).
    fn time_of(&self, index: usize) -> i64 {
        self.redis.cli(&["CONFIG", "RESETSTAT"]);
        let (id, secret) =
            (format!("01900000-0000-7000-8001-{index:012}"), format!("01900000-0000-7000-8009-{index:012}"));
        let (id, secret) = (&*id, &*secret);
        let release = SharedRelease { id, secret, after: None, new_secret: None, request: None, print: None };
        assert_eq!(self.run(&release)[0], "released");
        let stats = self.redis.cli(&["INFO", "commandstats"]);
        let eval = stats.lines().find_map(|line| line.strip_prefix("cmdstat_eval:")).expect("a script ran");
        number(eval.split(',').find_map(|part| part.strip_prefix("usec=")).expect("its time"))
    }
}

#[test]
fn a_release_takes_about_as_long_with_ten_thousand_holders_and_waiters_as_with_ten() {
    let redis = Redis::start(&[]);
    let many = Constants { holders: 20_000, room: 20_000, ..CONSTANTS };
    let medians = [10, 1_000, 10_000].map(|count| {
        // Of nine releases in each of several groups, because the smallest has no more.
        let mut times = Vec::new();
        for _ in 0..5 {
            let lab = Lab::with(&redis, many);
            lab.crowd(count);
            times.extend((1..=9).map(|index| lab.time_of(index)));
        }
        times.sort_unstable();
        (count, times[times.len() / 2])
    });
    println!("microseconds in Redis: {medians:?}");
    // A script that looked at each holder would take a hundred times as long.
    assert!(medians[2].1 < 4 * medians[0].1, "{medians:?}");
}

#[test]
fn a_holder_takes_less_than_four_hundred_bytes() {
    let redis = Redis::start(&[]);
    let lab = Lab::on(&redis);
    const HOLDERS: usize = 1_000;
    lab.crowd(HOLDERS);
    let bytes = |key| number(&redis.cli(&["MEMORY", "USAGE", &lab.key(key), "SAMPLES", "0"]));
    let each = (bytes("lock") + bytes("holders")) / HOLDERS as i64;
    println!("{each} bytes a holder");
    assert!((100..400).contains(&each), "{each}");
}
