//! The parts of scripts that decide plain cases, beside the parts that decide every case.

use std::sync::Arc;

use gorilla_scripts::{Acquire, Claim, Constants, Extend, Handover, Recording, Release, Script};

use super::{CHANNEL, CONSTANTS, Lab, raw};
use crate::harness::Redis;

/// What was recorded, a line for each change.
const RECORDED: &str = "
    local all = {}
    local function note(...)
        local at = 1
        while at <= select('#', ...) do
            local count, line = select(at, ...), {}
            for index = at + 1, at + count do line[#line + 1] = tostring((select(index, ...))) end
            all[#all + 1], at = table.concat(line, ' '), at + count + 1
        end
    end
    for _, entry in ipairs(redis.call('XRANGE', 'scripted:events', '-', '+')) do
        if entry[2][1] == 'e' then note(cmsgpack.unpack(entry[2][2])) end
    end
    return all";

impl Lab<'_> {
    /// Has each script leave all requests to its last part.
    fn without_plain_parts(mut self) -> Self {
        const PART: &str = "local function part(";
        let scripts = &mut self.scripts;
        let with_parts = [
            &mut scripts.try_acquire,
            &mut scripts.claim,
            &mut scripts.extend,
            &mut scripts.release,
            &mut scripts.handover,
        ];
        for script in with_parts {
            assert_eq!(script.source.matches(PART).count(), 2, "it has two parts");
            let (before, plain) = script.source.split_once(PART).expect("it has a plain part");
            let (head, body) = plain.split_once('\n').expect("the part has a line");
            *script = Arc::new(Script::of(format!("{before}{PART}{head}\ndo return nil end\n{body}")));
        }
        self
    }

    fn waits(&self, id: &str, keyed: bool, arrived: &str) -> Vec<String> {
        let (record, print) =
            if keyed { (format!("request:key-{id}"), "print") } else { (format!("request:{id}"), "") };
        self.queue(id, &record, print, "30000", "20000", arrived)
    }

    fn hands_over(&self, from: &str, id: &str, keyed: bool, arrived: &str) -> Vec<String> {
        let [request, release] = [id, from].map(|whose| keyed.then(|| format!("key-{whose}")));
        let release = release.map(|name| format!("{name}-release"));
        let print = keyed.then_some("print");
        let held = format!("token-of-{from}");
        let (token, owner) = (format!("token-of-{id}"), format!("owner-of-{id}"));
        let asked = Acquire {
            id,
            token: &token,
            owner: &owner,
            metadata: "[1.0]",
            lease: 30_000,
            request: request.as_deref(),
            print,
            wait: Some(20_000),
            channel: CHANNEL,
            rank: None,
            by: Some("somebody"),
        };
        let release = Release { token: &held, request: release.as_deref(), print };
        self.run(&Handover { release, claim: Claim { asked, arrived: arrived.parse().ok() } })
    }

    /// Twenty requests for one lock get it one after another, in each way in which a lock goes to the next. What all of
    /// them are told, and which keys and records there are meanwhile; without times. `keyed` says whether the requests have
    /// Idempotency-Keys.
    fn story(&self, keyed: bool) -> Vec<String> {
        let mut told = vec![self.acquire("id-0", "request:id-0", "", "30000")];
        let arrivals: Vec<_> = (1..20).map(|index| self.waits(&format!("id-{index}"), keyed, "")).collect();
        told.extend(arrivals.iter().cloned());
        told.push(self.acquire("id-20", "request:id-20", "", "30000"));
        for (index, arrived) in arrivals.iter().enumerate() {
            let (from, id) = (format!("id-{index}"), format!("id-{}", index + 1));
            // Not yet its turn, or the token of nobody.
            told.push(self.waits(&id, keyed, &arrived[1]));
            told.push(self.hands_over("nobody", &id, keyed, &arrived[1]));
            if index % 2 == 0 {
                told.push(self.hands_over(&from, &id, keyed, &arrived[1]));
            } else {
                told.push(self.release(&from));
                told.push(self.keys());
                // A turn lasts for a second. This one lasts until the waiter has come.
                let place = self.cli(&["GET"], "queue:turn", &[]).split_once(' ').expect("a turn").1.to_string();
                self.cli(&["SET"], "queue:turn", &[&format!("9999999999999 {place}")]);
                told.push(self.waits(&id, keyed, &arrived[1]));
            }
            told.push(self.keys());
            told.extend(self.records());
        }
        told.extend([self.release("id-19"), self.release("id-19"), self.keys()]);
        told.iter().map(|reply| without_times(&reply.join(" ").replace('"', " "), 4)).collect()
    }

    /// The records of requests, in the order of their names.
    fn records(&self) -> Vec<Vec<String>> {
        let keys = self.keys().into_iter().filter(|key| key.starts_with("request:"));
        keys.map(|key| vec![self.cli(&["GET"], &key, &[])]).collect()
    }

    /// What clients with and without Idempotency-Keys are told of a lock that is taken, refused, renewed and released, twice each,
    /// and what Redis has of them meanwhile; without times.
    fn requests(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (round, key) in [None, Some("a"), Some("b")].into_iter().enumerate() {
            let named = |what: &str| key.map(|key| format!("{what}-{key}"));
            let record = |what: &str, id: &str| format!("request:{}", named(what).unwrap_or_else(|| id.into()));
            let print = key.map_or("", |_| "print");
            let [holder, other] = ["holder", "other"].map(|who| format!("{who}-{round}"));
            for metadata in [None, Some("[2.0]")] {
                told.push(self.acquire(&holder, &record("acquire", &holder), print, "30000"));
                // Another lease, so another print; and a client that comes too late.
                told.push(self.acquire(&holder, &record("acquire", &holder), print.trim_end_matches('t'), "30001"));
                told.push(self.acquire(&other, &record("refused", &other), print, "30000"));
                let [token, new_token] = ["token", "new-token"].map(|what| format!("{what}-of-{holder}"));
                let (token, new_token) = (&*token, &*new_token);
                for (lease, token, what) in [
                    (60_000, "nobody", "extend"),
                    (1, token, "extend"),
                    (60_000, token, "extend"),
                    (60_000, token, "extend"),
                    (60_000, token, "extend-again"),
                    (60_001, new_token, "extend-again"),
                ] {
                    let request = named(what);
                    let (request, print) = (request.as_deref(), key.map(|_| "print"));
                    told.push(self.run(&Extend { token, new_token, lease, metadata, request, print }));
                }
                for (token, what) in [(token, "release"), (new_token, "release"), (new_token, "release")] {
                    let request = named(what);
                    told.push(self.run(&Release { token, request: request.as_deref(), print: key.map(|_| "print") }));
                }
                told.push(self.keys());
                told.extend(self.records());
            }
        }
        told.iter().map(|reply| without_times(&reply.join(" ").replace('"', " "), 5)).collect()
    }

    /// What was recorded of the lock, without times and fences.
    fn recorded(&self) -> Vec<String> {
        let lock = self.key("lock");
        let all = raw::ask(self.redis.port, &["EVAL", RECORDED, "0"]).into_iter();
        all.filter(|line| line.contains(&lock))
            .map(|line| {
                let line = line.replace(&lock, "lock");
                let line = without_times(&line, if line.starts_with("queued ") { 4 } else { 1 });
                line.trim_end_matches(" nil").to_string()
            })
            .collect()
    }
}

/// A line without numbers of so many digits or more.
fn without_times(line: &str, digits: usize) -> String {
    let is_time = |word: &str| word.len() >= digits && word.bytes().all(|byte| byte.is_ascii_digit());
    line.split(' ').map(|word| if is_time(word) { "time" } else { word }).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_plain_case_is_decided_and_recorded_as_the_part_for_every_case_does_it() {
    let redis = Redis::start(&[]);
    for events in [CONSTANTS.events, Recording::Off] {
        let constants = Constants { room: 1_000, events, ..CONSTANTS };
        let (plain, general) = (Lab::with(&redis, constants), Lab::with(&redis, constants).without_plain_parts());
        for keyed in [false, true] {
            assert_eq!(plain.story(keyed), general.story(keyed), "nobody listens");
        }
        assert_eq!(plain.requests(), general.requests(), "nobody listens");
        assert!(plain.recorded().is_empty() && general.recorded().is_empty());
    }

    raw::ask(redis.port, &["XADD", "scripted:events", "*", "begun", "x"]);
    let constants = Constants { room: 1_000, ..CONSTANTS };
    let (plain, general) = (Lab::with(&redis, constants), Lab::with(&redis, constants).without_plain_parts());
    let told = [plain.story(false), plain.story(true)].concat();
    assert_eq!(told, [general.story(false), general.story(true)].concat(), "somebody listens");
    let granted = told.iter().filter(|reply| reply.contains("granted")).count();
    let recorded = plain.recorded();
    assert_eq!(recorded, general.recorded());
    let of = |kind| recorded.iter().filter(|line| line.starts_with(kind)).count();
    assert_eq!([granted, of("granted "), of("released "), of("queued ")], [40, 40, 40, 38]);

    let told = plain.requests();
    assert_eq!(told, general.requests(), "somebody listens");
    let count = |outcome: &str| told.iter().filter(|reply| reply.starts_with(outcome)).count();
    for outcome in ["granted", "gone", "reused", "held", "extended", "replayed", "mismatch", "shorter", "released"] {
        assert!(count(outcome) > 0, "nothing was {outcome}: {told:#?}");
    }
    let recorded = plain.recorded();
    assert_eq!(recorded, general.recorded());
    assert!(recorded.iter().any(|line| line.starts_with("extended ")), "{recorded:#?}");
}
