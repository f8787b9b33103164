//! The measurements: which contestants under which workloads, in rounds.

mod direct;
mod held;
mod http;
mod load;
mod waiters;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    circumstances,
    contestant::{self, Gorilla, Missing, Server},
    load::Pace,
    report::aims,
    results::{Contestant, Results, Sample},
    workload::{EXTEND, MIXED, OWN_LOCKS, STATUS, Workload},
};

/// Connections at once.
const CLIENTS: [usize; 5] = [1, 16, 64, 256, 1024];
/// Where a workload isn't varied by them.
const USUAL: usize = 64;
/// So many times as many rounds where aims are: the ratios of three rounds may be far apart on a machine that others use too.
const MORE_ROUNDS: u32 = 3;
/// Who want one lock.
const CONTENDERS: usize = 32;
/// Of the rate that the slower of two reaches, so that neither is overloaded.
const PACE: f64 = 0.6;

/// How to measure.
#[derive(Args, Clone)]
pub struct Options {
    /// How often each contestant has its turn; three times as often where aims are
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// For how long each turn is counted, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Before it is counted, in seconds
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Only workloads with one of these in their names
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Only with so many clients, locks, waiters or replicas
    #[arg(long, value_name = "COUNT")]
    at: Vec<u64>,
    /// Only these contestants
    #[arg(long = "contestant", value_name = "NAME")]
    contestants: Vec<String>,
    /// Another build of Gorilla, to compare this one with
    #[arg(long, value_name = "PROGRAM")]
    other: Option<PathBuf>,
    /// Where the figures go
    #[arg(long, default_value = "target/bench/results.json")]
    results: PathBuf,
}

impl Options {
    fn measured(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }

    fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| workload.contains(part))
    }

    fn wants_at(&self, at: u64) -> bool {
        self.at.is_empty() || self.at.contains(&at)
    }

    fn wants_of(&self, contestant: &str) -> bool {
        self.contestants.is_empty() || self.contestants.iter().any(|name| name == contestant)
    }
}

/// Measures everything, and keeps what it has after each workload.
pub async fn run(options: Options) -> Result<(), String> {
    if let Some(other) = options.other.as_deref().filter(|other| !other.is_file()) {
        return Err(format!("--other {}: there is no such program; name another build of gorilla", other.display()));
    }
    let mut bench = Bench { options, results: Results::default(), trouble: false };
    bench.results.circumstances = circumstances::gather();
    let mut servers = Vec::new();
    let (wanted, other) = (bench.options.clone(), bench.options.other.clone());
    for started in contestant::start(|name| wanted.wants_of(name), other.as_deref()).await {
        match started {
            Ok(server) => {
                bench.list(server.name(), server.what(), None);
                servers.push(server);
            }
            Err(Missing { name, why }) => bench.list(name, String::new(), Some(why)),
        }
    }
    let clients = direct::Clients::prepare(&mut bench);
    bench.own_locks(&servers, &clients)?;
    bench.paced(&servers, "own-locks-paced", "webdis")?;
    bench.paced(&servers, "own-locks-slow", "etcd")?;
    for workload in [STATUS, EXTEND, MIXED] {
        bench.workload(workload, &servers)?;
    }
    bench.one_lock(&servers, &clients)?;
    drop((servers, clients));
    bench.replicas().await?;
    bench.held().await?;
    bench.waiters().await?;
    match bench.trouble {
        false => Ok(()),
        true => Err("some figures are missing, see above".into()),
    }
}

struct Bench {
    options: Options,
    results: Results,
    trouble: bool,
}

/// Figures by name.
type Figures = BTreeMap<String, f64>;

impl Bench {
    fn list(&mut self, name: &str, what: String, missing: Option<String>) {
        match &missing {
            None => eprintln!("{name}: {what}"),
            Some(why) => eprintln!("{name} is missing: {why}"),
        }
        self.results.contestants.push(Contestant { name: name.into(), what, missing });
    }

    /// Keeps what a contestant did, and says it. A contestant that fails is told, and the others go on.
    fn keep(&mut self, workload: &str, contestant: &str, at: u64, round: u32, figures: Result<Figures, String>) {
        let figures = match figures {
            Ok(figures) => figures,
            Err(why) => {
                eprintln!("{workload} {at} {contestant}: FAILED: {why}");
                self.trouble = true;
                return;
            }
        };
        let told: Vec<_> = figures.iter().map(|(name, value)| format!("{name} {value:.1}")).collect();
        eprintln!("{workload} {at} {contestant}: {}", told.join(", "));
        let (workload, contestant) = (workload.into(), contestant.into());
        self.results.samples.push(Sample { workload, contestant, at, round, figures });
    }

    fn save(&self) -> Result<(), String> {
        let path = &self.options.results;
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(told)?;
        self.results.save(path).map_err(told)
    }

    /// Who do this, in rounds.
    fn rounds(
        &mut self,
        (workload, name): (Workload, &str),
        (at, clients, pace): (u64, usize, Pace),
        servers: &[&dyn Server],
        direct: Option<&direct::Clients>,
    ) -> Result<(), String> {
        if !self.options.wants(name) || !self.options.wants_at(at) {
            return Ok(());
        }
        let times = if aims::are_about(name, at) { MORE_ROUNDS } else { 1 };
        for round in 1..=self.options.rounds * times {
            for server in servers {
                let figures = load::measure(&self.options, *server, workload, clients, pace, name == "one-lock");
                self.keep(name, server.name(), at, round, figures);
            }
            if let Some(direct) = direct {
                direct.turn(self, name, clients, round);
            }
        }
        self.save()
    }

    fn own_locks(&mut self, servers: &[Box<dyn Server>], direct: &direct::Clients) -> Result<(), String> {
        for clients in CLIENTS {
            self.rounds(
                (OWN_LOCKS, OWN_LOCKS.name),
                (clients as u64, clients, Pace::Closed),
                &all(servers),
                Some(direct),
            )?;
        }
        Ok(())
    }

    /// Gorilla and those that are as fast as `slowest`, at a part of its rate.
    fn paced(&mut self, servers: &[Box<dyn Server>], name: &str, slowest: &str) -> Result<(), String> {
        let Some(rate) = self.results.median(OWN_LOCKS.name, slowest, USUAL as u64, "cycles_per_s") else {
            return Ok(());
        };
        let wanted = ["gorilla", "gorilla-other", "webdis", slowest];
        let servers = among(servers, &wanted);
        let pace = Pace::Open((rate * PACE / 100.0).round() * 100.0);
        self.rounds((OWN_LOCKS, name), (USUAL as u64, USUAL, pace), &servers, None)
    }

    fn workload(&mut self, workload: Workload, servers: &[Box<dyn Server>]) -> Result<(), String> {
        let wanted: &[&str] = if workload.name == STATUS.name {
            &["gorilla", "gorilla-other", "webdis", "axum"]
        } else {
            &["gorilla", "gorilla-other", "webdis"]
        };
        self.rounds((workload, workload.name), (USUAL as u64, USUAL, Pace::Closed), &among(servers, wanted), None)
    }

    fn one_lock(&mut self, servers: &[Box<dyn Server>], direct: &direct::Clients) -> Result<(), String> {
        let servers = among(servers, &["gorilla", "gorilla-other", "etcd"]);
        self.rounds((OWN_LOCKS, "one-lock"), (CONTENDERS as u64, CONTENDERS, Pace::Closed), &servers, Some(direct))
    }

    async fn replicas(&mut self) -> Result<(), String> {
        if !self.options.wants("replicas") {
            return Ok(());
        }
        let deployments = [Gorilla::start(1).await, Gorilla::start(2).await, Gorilla::start(4).await];
        for round in 1..=self.options.rounds {
            for deployment in &deployments {
                let at = deployment.replicas().len() as u64;
                let figures = load::measure(&self.options, deployment, OWN_LOCKS, USUAL, Pace::Closed, false);
                self.keep("replicas", "gorilla", at, round, figures);
            }
        }
        self.save()
    }
}

fn all(servers: &[Box<dyn Server>]) -> Vec<&dyn Server> {
    servers.iter().map(|server| &**server).collect()
}

fn among<'a>(servers: &'a [Box<dyn Server>], names: &[&str]) -> Vec<&'a dyn Server> {
    all(servers).into_iter().filter(|server| names.contains(&server.name())).collect()
}
