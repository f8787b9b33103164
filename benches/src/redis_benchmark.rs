//! Runs redis-benchmark on Gorilla's own scripts: the most that is possible, with nothing between clients and scripts.
//!
//! redis-benchmark repeats one command. So there is a run of acquires and a run of releases, each for about half of the
//! time, and a cycle takes as long as one acquire and one release: cycles/s = 1 / (1/acquires per s + 1/releases per
//! s). The latencies are those of an acquire; with a pipeline of 16, those of a batch of 16.
//!
//! redis-benchmark chooses a random number for the key of each lock, so that each acquire finds a free lock. For each
//! release there are ten locks to choose from. Only acquires that were granted and releases that freed a lock count:
//! DBSIZE tells how many. All of this happens in database 15.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use anyhow::{Context, Result, bail, ensure};
use itertools::Itertools;
use redis::Connection;

use crate::{
    contestant::Contestant, machine, programs, programs::limited, results::Figures, results::figures, scripts,
    scripts::Command, scripts::ID, scripts::TOKEN, scripts::ask, task::Task,
};

/// A program, the port of its Redis, and how many commands are a batch.
struct Bench {
    program: &'static str,
    port: u16,
    pipeline: usize,
}

/// A database that nothing else uses, so that DBSIZE counts only these keys, and FLUSHDB removes only them.
const DATABASE: &str = "15";
/// A name whose end redis-benchmark replaces by twelve digits.
const RESOURCE: &str = "bench-__rand_int__";
/// All numbers that redis-benchmark knows, so that hardly any number comes twice.
const FRESH: usize = i32::MAX as usize;
/// The most releases. There are ten times as many locks as releases, and each lock takes some 300 bytes.
const MOST_RELEASES: f64 = 40_000.0;

/// Looks for the program, which will send so many commands in a batch.
pub fn prepare(port: u16, pipeline: usize) -> Result<Contestant> {
    let version = |program| Some((program, machine::said(program, &["--version"])?));
    let (program, version) = ["redis-benchmark", "valkey-benchmark"].into_iter().find_map(version).context(
        "neither redis-benchmark nor valkey-benchmark is in PATH: apt-get install redis-tools or valkey-tools",
    )?;
    let batches = if pipeline == 1 { String::new() } else { format!(" in batches of {pipeline}") };
    let what = format!("{version}, EVALSHA of Gorilla's acquire and release{batches}; each client has a connection");
    let bench = Bench { program, port, pipeline };
    let take_turn = move |task: &Task| {
        let mut redis = scripts::connect(port)?;
        ask::<()>(&mut redis, &["SELECT", DATABASE])?;
        let keys: u64 = ask(&mut redis, &["DBSIZE"])?;
        ensure!(keys == 0, "database {DATABASE} of that Redis must be empty, but it has {keys} keys");
        let seen = bench.measure(&mut redis, task);
        ask::<()>(&mut redis, &["FLUSHDB", "SYNC"])?;
        seen
    };
    Ok(Contestant { what, take_turn: Box::new(take_turn) })
}

impl Bench {
    fn measure(&self, redis: &mut Connection, task: &Task) -> Result<Figures> {
        let (clients, half) = (task.clients, task.measured / 2.0);
        // Whole batches, at least two for each client.
        let whole = |about: f64| (about as usize).max(clients * self.pipeline * 2).next_multiple_of(self.pipeline);
        let acquire = Command::of(&[scripts::acquire(RESOURCE, ID, TOKEN, 30_000)]);
        let release = Command::of(&[scripts::release(RESOURCE, TOKEN)]);
        [&acquire, &release].into_iter().try_for_each(|command| command.load(redis))?;
        // The warm-up tells how many acquires fit into that time. redis-benchmark seeds its random numbers with the
        // time and its pid. So runs within seconds of each other may use the same numbers, and would meet locks that
        // are held.
        let warm_up = self.run(&acquire, clients, whole(50_000.0 * task.warm_up), FRESH)?;
        let rate = warm_up.requests / warm_up.elapsed;
        ask::<()>(redis, &["FLUSHDB", "SYNC"])?;
        let taken = self.run(&acquire, clients, whole(rate * half), FRESH)?;
        // Each lock and each fence is a key.
        let granted = ask::<f64>(redis, &["DBSIZE"])? / 2.0;
        // The other acquires met a lock that was held, which is less work.
        ensure!(granted >= taken.requests * 0.998, "only {granted} of {} acquires were granted", taken.requests);
        // The releases need other locks.
        ask::<()>(redis, &["FLUSHDB", "SYNC"])?;
        let count = whole((rate * half).min(MOST_RELEASES));
        fill(redis, count * 10)?;
        let held: f64 = ask(redis, &["DBSIZE"])?;
        let given = self.run(&release, clients, count, count * 10)?;
        let released = held - ask::<f64>(redis, &["DBSIZE"])?;
        ensure!(released >= given.requests * 0.9, "only {released} of {} releases found their lock", given.requests);
        let elapsed = taken.elapsed + given.elapsed;
        let cycles = elapsed / (taken.elapsed / granted + given.elapsed / released);
        let cpu = taken.cpu / granted + given.cpu / released;
        Ok(figures([
            ("cycles_per_s", Some(cycles / elapsed)),
            ("p50_us", Some(taken.p50)),
            ("p99_us", Some(taken.p99)),
            ("longest_us", Some(taken.longest)),
            // A cycle is two requests.
            ("load_cpu_us", Some(cpu * 1e6 / 2.0)),
            ("load_busy_percent", Some(cycles * cpu / elapsed * 100.0)),
        ]))
    }

    fn run(&self, command: &Command, clients: usize, requests: usize, numbers: usize) -> Result<Row> {
        let Self { program, pipeline, port, .. } = self;
        let options =
            format!("-p {port} --dbnum {DATABASE} -c {clients} -P {pipeline} -n {requests} -r {numbers} --csv EVALSHA");
        let mut bench = limited(&[program.to_string()], 300.0);
        // The words contain no byte 0, which would end an argument.
        bench.args(options.split(' ')).arg(&command.sha).args(command.words.iter().map(|word| OsStr::from_bytes(word)));
        let programs::Ended { output, cpu } = programs::finish(&mut bench)?;
        let requests = requests as f64;
        let [rate, p50, p99, longest] = parsed(&output)?;
        Ok(Row { requests, elapsed: requests / rate, cpu, p50, p99, longest })
    }
}

/// Makes the locks for the releases, as copies of one acquired lock.
fn fill(redis: &mut Connection, held: usize) -> Result<()> {
    let model = Command::of(&[scripts::acquire("bench-model", ID, TOKEN, 3_600_000)]);
    model.evalsha().exec(redis).context("acquire")?;
    let copy = "for number = 1, ARGV[1] do redis.call('COPY', KEYS[1], \
                string.format('gorilla:{bench-%012d}:lock', number - 1)) end return 'copied'";
    ask(redis, &["EVAL", copy, "1", "gorilla:{bench-model}:lock", &held.to_string()])
}

/// The figures of a run of redis-benchmark: times in seconds, latencies in microseconds.
struct Row {
    requests: f64,
    elapsed: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
    longest: f64,
}

/// Reads the rate and the latencies that redis-benchmark prints with `--csv`. Counts columns from the end, because the
/// first column is the command, whose commas and quotation marks are not escaped. The last seven columns are the rate,
/// and the average, the smallest, the 50th, 95th and 99th percentile, and the largest of the latencies in milliseconds.
/// Redis 6.0 prints only the rate.
fn parsed(printed: &str) -> Result<[f64; 4]> {
    let row = printed.lines().last().unwrap_or_default().rsplit(',');
    let row = row.map_while(|figure| figure.trim_matches('"').parse::<f64>().ok());
    match row.take(7).filter(|figure| figure.is_finite()).collect_vec()[..] {
        [longest, p99, _, p50, _, _, rate] if rate > 0.0 => Ok([rate, p50 * 1000.0, p99 * 1000.0, longest * 1000.0]),
        _ => bail!("redis-benchmark printed: {printed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_behind_a_command_with_commas_and_what_is_no_figure_is_an_error_with_all_that_was_printed() {
        let row = r#""EVALSHA 1 a ["x","y"] ,"1","2"","50000.00","0.9","0.1","0.500","1.0","2.000","9.500""#;
        let row = |from: &str, to| format!("\"test\",\"rps\",\"avg_latency_ms\"\n{}\n", row.replace(from, to));
        assert_eq!(parsed(&row("", "")).expect("a row"), [50_000.0, 500.0, 2000.0, 9500.0]);
        // Redis 6.0 has no latencies.
        let old = "\"test\",\"rps\"\n\"GET\",\"50000.00\"".to_string();
        let none = "Could not connect to Redis at 127.0.0.1:1: Connection refused".to_string();
        for printed in [none, old, row("50000.00", "-nan"), row("50000.00", "0.00"), row("2.000", "")] {
            let error = parsed(&printed).expect_err("it has no figures").to_string();
            assert!(error.contains(&printed), "{error}");
        }
    }
}
