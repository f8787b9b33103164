//! redis-benchmark on Gorilla's own scripts: what can be had at most, with nothing between the scripts and who calls them.
//!
//! redis-benchmark repeats one command, so there is a run of acquires and there are runs of releases, each for half of the
//! time, and a cycle takes what one of each takes: cycles/s = 1 / (1/acquires per s + 1/releases per s). The latencies are
//! those of the acquire; with a pipeline of 16, of a batch of 16.
//!
//! A number that redis-benchmark chooses at random makes the lock's key, so that each acquire finds a free lock, and each
//! release one of ten times as many locks as there are releases. It would choose another for each key of a command, so the
//! other keys have none: they are those of one resource, whose fence is there already, as with a resource that is locked
//! again and again. What was granted and what was released is counted in Redis, by DBSIZE, and only that counts. All of it
//! happens in database 15.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use gorilla_harness::Redis;

use super::{
    Direct, LEASE, Measured,
    csv::Row,
    lua::{self, Call},
    program,
};

/// The contestant.
pub struct RedisBenchmark {
    pipeline: usize,
    program: Option<&'static str>,
}

/// Where nothing of anybody else is, so that DBSIZE tells and all can be removed in one go.
const DATABASE: &str = "15";
/// What redis-benchmark replaces by twelve digits.
const RANDOM: &str = "bench-__rand_int__";
/// The resource of all other keys, with a name as long.
const REST: &str = "bench-rest________";
/// As many numbers as redis-benchmark knows: hardly one comes twice.
const FRESH: usize = i32::MAX as usize;
/// Most releases in a run: a run finds ten times as many locks as it releases, and each takes some 300 bytes.
const MOST_RELEASES: usize = 40_000;

impl RedisBenchmark {
    /// With so many commands in a batch.
    pub fn new(pipeline: usize) -> Self {
        Self { pipeline, program: None }
    }

    fn measure(&self, port: u16, clients: usize, warm_up: Duration, measured: Duration) -> Result<Measured, String> {
        let database = Database::empty(port)?;
        let bench = Bench { database: &database, clients, of: self };
        let outcome = bench.acquires(warm_up, measured / 2).and_then(|acquires| {
            // What was taken would only be in the way.
            database.clear()?;
            let rate = acquires.1.rate;
            Ok((acquires, bench.releases(rate, measured / 2)?))
        });
        database.clear()?;
        let ((acquires, row), releases) = outcome?;
        let elapsed = acquires.elapsed + releases.elapsed;
        let cycles = elapsed.as_secs_f64() / (acquires.each(acquires.elapsed) + releases.each(releases.elapsed));
        let cpu = cycles * (acquires.each(acquires.cpu) + releases.each(releases.cpu));
        Ok(Measured {
            cycles: cycles.round() as u64,
            elapsed,
            p50: row.p50,
            p99: row.p99,
            longest: row.longest,
            client_cpu: Duration::from_secs_f64(cpu),
            server_cpu: None,
        })
    }
}

impl Direct for RedisBenchmark {
    fn name(&self) -> &'static str {
        if self.pipeline == 1 { "redis-benchmark" } else { "redis-benchmark-pipelined" }
    }

    fn prepare(&mut self) -> Result<String, String> {
        let runs = |program: &&str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
        let program = ["redis-benchmark", "valkey-benchmark"].into_iter().find(runs);
        self.program = program;
        let program = program.ok_or(
            "neither redis-benchmark nor valkey-benchmark is in PATH: apt-get install redis-tools or valkey-tools",
        )?;
        let version = program::run(Command::new(program).arg("--version"), Duration::from_secs(10))?.output;
        let batch = if self.pipeline == 1 { String::new() } else { format!(" in batches of {}", self.pipeline) };
        Ok(format!("{}, EVALSHA of Gorilla's acquire and release{batch}; each client has a connection", version.trim()))
    }

    fn own_locks(
        &self,
        redis_port: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Result<Measured, String> {
        self.measure(redis_port, clients, warm_up, measured)
    }

    fn one_lock(&self, _: u16, _: usize, _: Duration, _: Duration) -> Option<Result<Measured, String>> {
        None
    }
}

/// What was done, and what that took.
#[derive(Default)]
struct Done {
    count: u64,
    elapsed: Duration,
    cpu: Duration,
}

impl Done {
    /// The part of a time that each has, in seconds.
    fn each(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.count as f64
    }
}

/// One measurement.
struct Bench<'a> {
    database: &'a Database,
    clients: usize,
    of: &'a RedisBenchmark,
}

impl Bench<'_> {
    /// As many as the warm-up tells that there are in that time.
    fn acquires(&self, warm_up: Duration, measured: Duration) -> Result<(Done, Row), String> {
        let call = lua::acquire(RANDOM, REST, LEASE.as_millis());
        let sha = self.database.load(&call)?;
        let (mut warm, mut row) = (Duration::ZERO, None::<Row>);
        while warm < warm_up || row.is_none() {
            let rate = row.as_ref().map_or(10_000.0, |row| row.rate);
            // The last of these runs is to tell the rate, so it isn't to be too short either.
            let left = warm_up.saturating_sub(warm).max(warm_up / 4).as_secs_f64();
            let (next, _) = self.run(&sha, &call, self.requests(rate * left), FRESH)?;
            warm += next.elapsed;
            row = Some(next);
            // redis-benchmark seeds its random numbers with the time and its pid, so that runs within seconds of each other
            // may have the same, which would then meet locks that are held.
            self.database.clear()?;
        }
        let count = row.map_or(0.0, |row| row.rate * measured.as_secs_f64());
        let (row, cpu) = self.run(&sha, &call, self.requests(count), FRESH)?;
        // The fence is a key, too.
        let granted = self.database.size()?.saturating_sub(1);
        // The others met a lock that was held, which is less work.
        if granted * 1000 < row.requests * 998 {
            return Err(format!("only {granted} of {} acquires were granted", row.requests));
        }
        Ok((Done { count: granted, elapsed: row.elapsed, cpu }, row))
    }

    /// Short runs, each on locks that are all there at its beginning; one is enough at a rate like that of the acquires, if
    /// that is low.
    fn releases(&self, rate: f64, measured: Duration) -> Result<Done, String> {
        let call = lua::release(RANDOM, REST);
        let sha = self.database.load(&call)?;
        let count = self.requests((rate * measured.as_secs_f64()).min(MOST_RELEASES as f64));
        let held = count * 10;
        let mut done = Done::default();
        while done.elapsed < measured {
            self.database.fill(held)?;
            let before = self.database.size()?;
            let (row, cpu) = self.run(&sha, &call, count, held)?;
            let released = before - self.database.size()?;
            if released * 100 < row.requests * 90 {
                return Err(format!("only {released} of {} releases found their lock", row.requests));
            }
            done.count += released;
            done.elapsed += row.elapsed;
            done.cpu += cpu;
        }
        Ok(done)
    }

    /// Whole batches, at least two for each client. redis-benchmark sends as many more as fill the last batch.
    fn requests(&self, about: f64) -> usize {
        let batch = self.of.pipeline;
        (about as usize).max(self.clients * batch * 2).next_multiple_of(batch)
    }

    fn run(&self, sha: &str, call: &Call, requests: usize, numbers: usize) -> Result<(Row, Duration), String> {
        let program = self.of.program.ok_or("it was not prepared")?;
        let options = [
            ("-h", "127.0.0.1".to_string()),
            ("-p", self.database.port.to_string()),
            ("--dbnum", DATABASE.to_string()),
            ("-c", self.clients.to_string()),
            ("-P", self.of.pipeline.to_string()),
            ("-n", requests.to_string()),
            ("-r", numbers.to_string()),
        ];
        let mut command = Command::new(program);
        command.args(options.iter().flat_map(|(option, value)| [option, value.as_str()]));
        command.args(["--csv", "EVALSHA", sha]).args(&call.args);
        let ended = program::run(&mut command, Duration::from_secs(300))?;
        Ok((Row::parse(&ended.output, requests as u64)?, ended.cpu))
    }
}

/// The database in which all of it happens.
struct Database {
    port: u16,
}

impl Database {
    fn empty(port: u16) -> Result<Self, String> {
        let database = Self { port };
        match database.size()? {
            0 => Ok(database),
            keys => Err(format!("there are {keys} keys in database {DATABASE} of that Redis, which is to be empty")),
        }
    }

    fn ask(&self, command: &[&str]) -> Result<String, String> {
        let said = Redis::ask(self.port, &[&["-e", "-n", DATABASE], command].concat());
        if said.is_empty() { Err(format!("no reply to {} at port {}", command[0], self.port)) } else { Ok(said) }
    }

    fn size(&self) -> Result<u64, String> {
        let said = self.ask(&["DBSIZE"])?;
        said.parse().map_err(|_| format!("DBSIZE: {said}"))
    }

    fn clear(&self) -> Result<(), String> {
        match self.ask(&["FLUSHDB", "SYNC"])?.as_str() {
            "OK" => Ok(()),
            said => Err(format!("FLUSHDB: {said}")),
        }
    }

    /// The digest of a script that Redis now has.
    fn load(&self, call: &Call) -> Result<String, String> {
        let said = self.ask(&["SCRIPT", "LOAD", &call.source])?;
        if said.len() == 40 { Ok(said) } else { Err(format!("SCRIPT LOAD: {said}")) }
    }

    /// Adds what is missing of the locks that releases look for: copies of one that was acquired.
    fn fill(&self, held: usize) -> Result<(), String> {
        let model = "bench-model";
        let acquire = lua::acquire(model, REST, 3_600_000);
        let sha = self.load(&acquire)?;
        let mut command = vec!["EVALSHA", &sha];
        command.extend(acquire.args.iter().map(String::as_str));
        let said = self.ask(&command)?;
        if !said.starts_with("granted") && !said.starts_with("held") && !said.starts_with("replayed") {
            return Err(format!("acquire: {said}"));
        }
        let copy = "for number = ARGV[1], ARGV[2] do redis.call('COPY', KEYS[1], \
                    string.format('gorilla:{bench-%012d}:lock', number)) end return 'copied'";
        let model = format!("gorilla:{{{model}}}:lock");
        // In pieces, so that no call is so long that Redis is busy with it for a while.
        const PIECE: usize = 50_000;
        for first in (0..held).step_by(PIECE) {
            let (first, last) = (first.to_string(), (first + PIECE).min(held).saturating_sub(1).to_string());
            match self.ask(&["EVAL", copy, "1", &model, &first, &last])?.as_str() {
                "copied" => {}
                said => return Err(format!("COPY: {said}")),
            }
        }
        Ok(())
    }
}
