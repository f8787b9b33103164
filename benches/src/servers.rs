//! Contestants that are servers, with which clients speak over HTTP. contestants.toml describes them.

use std::{
    fs, net::Ipv4Addr, net::SocketAddr, net::TcpListener, path::Path, process::Command, process::Stdio, slice, thread,
    time::Duration, time::Instant,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use gorilla_harness::{Process, Redis};
use gorilla_scripts::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tempfile::TempDir;

use crate::{
    described::DescribedServer, described::file, language::Language, language::Speaker, language::filled,
    language::with, load, machine, results::Figures, scripts, scripts::ID, scripts::TOKEN, task::Task, workload::Step,
};

/// A server that runs, as one process or more.
pub struct Server {
    pub what: String,
    language: &'static str,
    /// Whether its clients leave the variants of workloads aside.
    pub is_plain: bool,
    processes: Vec<(Process, SocketAddr)>,
    /// The Redis of its own, or the masters of its Cluster.
    pub nodes: Vec<Redis>,
    uses_redis: bool,
    folder: TempDir,
}

impl Server {
    /// Starts so many processes, with a Redis of their own. They write their logs as they do by default, but nothing
    /// reads the logs, because a reader would need a part of the machine.
    pub fn start(name: &str, program: &Path, count: usize) -> Result<Self> {
        Self::start_on(vec![Redis::start(&[])], name, program, count)
    }

    /// The same with a Redis that runs, or with the masters of a Cluster.
    pub fn start_on(nodes: Vec<Redis>, name: &str, program: &Path, count: usize) -> Result<Self> {
        let described = file().servers.get(name).context("there is no such server")?;
        Self::of(nodes, described, program, count).with_context(|| described.get.clone())
    }

    fn of(nodes: Vec<Redis>, described: &'static DescribedServer, program: &Path, count: usize) -> Result<Self> {
        let DescribedServer { what, version, start, config, language, ready, .. } = described;
        let (folder, redis_port) = (tempfile::tempdir()?, nodes[0].port);
        let mut connection = scripts::connect(redis_port)?;
        let command = |call| scripts::Command::of(slice::from_ref(call));
        calls(0).iter().try_for_each(|(_, call)| command(call).load(&mut connection))?;
        let programs = [("{program}", program.display().to_string()), ("{redis_server}", Redis::program().to_string())];
        let mut what = what.clone();
        if let Some(version) = version {
            let version = filled(version, &programs);
            let said = machine::said("sh", &["-c", &version]).with_context(|| format!("{version:?} fails"))?;
            what = what.replace("{version}", said.split_whitespace().last().unwrap_or_default());
        }
        let uses_redis = [start, config].iter().any(|text| text.contains("{redis}"));
        let mut server = Self { what, language, is_plain: false, processes: vec![], nodes, uses_redis, folder };
        for _ in 0..count {
            let (port, folder) = (free_port(), server.folder.path());
            let places = [
                ("{port}", port.to_string()),
                ("{port2}", free_port().to_string()),
                ("{redis}", redis_port.to_string()),
                ("{folder}", folder.display().to_string()),
            ];
            let values = [&places[..], &programs].concat();
            fs::write(folder.join("config"), filled(config, &values))?;
            let start = filled(start, &values);
            let mut words = start.split(' ');
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let ready = Language::from([(Step::Opening, vec![ready.clone()])]);
            let process = started(Command::new(words.next().unwrap_or_default()).args(words), || {
                load::block_on(Speaker::connect(address, ready.clone())).map(drop)
            })?;
            server.processes.push((process, address));
        }
        Ok(server)
    }

    /// The language of clients that use the lock of this number.
    fn language(&self, lock: usize, task: &Task, client: usize) -> Result<Language> {
        let variant = task.workload.variant.as_ref().filter(|_| !self.is_plain && client >= task.workload.alone);
        let variant = variant.and_then(|variant| file().languages.get(&format!("{}-{variant}", self.language)));
        let language = variant.or_else(|| file().languages.get(self.language)).context("there is no such language")?;
        // Braces stay, for the values that each request replaces.
        const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'{').remove(b'}');
        let mut values = vec![("{lock}", lock.to_string()), ("{name}", STANDARD.encode(format!("bench-{lock}")))];
        values.push(("{wait}", if task.workload.one_lock { ",\"wait\":60" } else { "" }.into()));
        values.extend(calls(lock).map(|(step, call)| {
            let command = scripts::Command::of(&[call]);
            let words = command.words.iter().map(|word| percent_encode(word, &RESERVED).to_string());
            // Replies are packed, and JSON can't have bytes that are not text: so webdis passes them on as they are.
            let path = format!("EVALSHA/{}/{}.raw", command.sha, words.collect::<Vec<_>>().join("/"));
            // Packed arguments contain their lengths, so the ids and tokens that clients choose are put in only now.
            let thought_of = [(ID, "{id}"), (TOKEN, "{token}"), (NEW, "{new}")];
            let place = |path: String, (text, place)| {
                path.replace(&percent_encode(str::as_bytes(text), &RESERVED).to_string(), place)
            };
            (step, thought_of.into_iter().fold(path, place))
        }));
        Ok(with(language, &values))
    }

    /// The process ids of its own processes, and of its Redis.
    pub fn pids(&self) -> [Vec<u32>; 2] {
        let own = self.processes.iter().map(|(process, _)| process.child.id());
        [own.collect(), self.nodes.iter().map(Redis::pid).collect()]
    }

    /// Lets clients do a task. Returns what they saw.
    pub fn take_turn(&self, task: &Task) -> Result<Figures> {
        self.take_watched_turn(task, &|| Ok(()))
    }

    /// The same, and `watch` is called at the begin and at the end of the measured time.
    pub fn take_watched_turn(&self, task: &Task, watch: &dyn Fn() -> Result<()>) -> Result<Figures> {
        // A number that no earlier turn has used, so that no lock is still held.
        let turn = gorilla_harness::name("").trim_start_matches('-').parse::<usize>().unwrap_or_default() * 10_000;
        let connect = async |client| {
            let (_, address) = self.processes[client % self.processes.len()];
            Speaker::connect(address, self.language(turn + task.lock(client), task, client)?).await
        };
        let [own, nodes] = self.pids();
        load::run(task, connect, &|| {
            watch()?;
            let redis = self.uses_redis.then(|| machine::cpu_of(&nodes)).transpose()?;
            Ok([Some(machine::cpu_of_thread()?), Some(machine::cpu_of(&own)?), redis])
        })
    }
}

/// A new token that a client chooses, besides its current token.
const NEW: &str = "0c2d9b7e-51f4-4a36-8be0-7d1c3a9f6e58";

/// The calls of Gorilla's scripts for the lock of this number, each with its name in contestants.toml. Clients choose
/// ids and tokens, as replicas do.
fn calls(lock: usize) -> [(&'static str, Request); 4] {
    let name = format!("bench-{lock}");
    [
        ("{acquire}", scripts::acquire(&name, ID, NEW, 60_000)),
        ("{status}", scripts::inspect(&name, TOKEN)),
        ("{extend}", scripts::extend(&name, TOKEN, NEW)),
        ("{release}", scripts::release(&name, TOKEN)),
    ]
}

/// Starts a server, and tries until it is ready. That takes seconds under Valgrind, and many seconds on a busy machine.
pub fn started(command: &mut Command, ready: impl Fn() -> Result<()>) -> Result<Process> {
    const PATIENCE: Duration = Duration::from_secs(120);
    let name = command.get_program().to_string_lossy().into_owned();
    let process = Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let mut process = process.with_context(|| name.clone())?;
    let begun = Instant::now();
    while let Err(why) = ready() {
        let ended = process.child.try_wait()?;
        ensure!(ended.is_none(), "{name} ended at its start: {ended:?}");
        ensure!(begun.elapsed() < PATIENCE, "{name} is not ready within {PATIENCE:?}: {why:#}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(process)
}

/// A port that is free when this returns.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.expect("a free port").port()
}
