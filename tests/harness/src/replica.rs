//! A real `gorilla serve`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

use crate::{Api, Authority, Redis, process::Process};

/// A replica on a port of its own. It is ready, unless a test started it without Redis.
pub struct Replica {
    /// The process.
    pub process: Process,
    /// A client of the replica.
    pub api: Api,
    log: Arc<Mutex<String>>,
}

impl Replica {
    /// A client for this test of the replica that is shared by tests that don't disturb it.
    pub async fn shared() -> Api {
        static SHARED: OnceCell<Replica> = OnceCell::const_new();
        // Tests share only the address: connections belong to the runtime of the test that opened them.
        Api::at(&SHARED.get_or_init(Replica::start).await.api.address)
    }

    /// A replica on the shared Redis.
    pub async fn start() -> Self {
        Self::on(Redis::shared()).await
    }

    /// A ready replica on the given Redis.
    pub async fn on(redis: &Redis) -> Self {
        Self::with(&redis.url(), &[]).await
    }

    /// A ready replica with settings such as `("GORILLA__LIMITS__MAX_TIMEOUT", "1h")`.
    pub async fn with(redis_url: &str, settings: &[(&str, &str)]) -> Self {
        let replica = Self::unready(redis_url, settings);
        replica.becomes_ready().await;
        replica
    }

    async fn becomes_ready(&self) {
        crate::eventually("the replica is ready", Duration::from_secs(10), || async {
            self.api.get("/_ready").await.status == 200
        })
        .await;
    }

    /// A ready replica that serves HTTPS, with the certificate that was installed last.
    pub async fn secure(redis_url: &str, authority: &Authority, settings: &[(&str, &str)]) -> Self {
        let tls = authority.settings();
        let tls = tls.iter().map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<_> = tls.chain(settings.iter().copied()).collect();
        let mut replica = Self::unready(redis_url, &settings);
        replica.api = Api::secure(&replica.api.address, authority);
        replica.becomes_ready().await;
        replica
    }

    /// A replica that listens, whether it reaches Redis or not.
    pub fn unready(redis_url: &str, settings: &[(&str, &str)]) -> Self {
        Self::of(&Self::program(), redis_url, settings)
    }

    /// A replica of the given program that listens, whether it reaches Redis or not.
    pub fn of(program: &Path, redis_url: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command
            .args(["serve", "--redis-url", redis_url])
            .env("GORILLA__SERVER__LISTEN", "127.0.0.1:0")
            .env("GORILLA__LOG__FORMAT", "json")
            .envs(settings.iter().copied())
            .stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command).expect("gorilla starts");
        let stderr = process.child.stderr.take().expect("its standard error is piped");
        let log = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = writer.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let begun = Instant::now();
        let address = loop {
            let text = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // The line is JSON, or text for people.
            let address = text.split("address").nth(1).map(|rest| rest.trim_start_matches(['"', ':', '=']));
            if let Some(address) = address.and_then(|rest| rest.split(['"', ' ']).next()) {
                // A replica that listens on all addresses can be reached on the loopback.
                break address.replace("0.0.0.0", "127.0.0.1");
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "the replica says where it serves: {text}");
            std::thread::sleep(Duration::from_millis(2));
        };
        Self { process, api: Api::at(&address), log }
    }

    /// The program that was built beside the one that runs now.
    pub fn program() -> PathBuf {
        let mut folder = std::env::current_exe().expect("a running program has a path");
        folder.pop();
        // The programs of tests are one folder further down.
        if folder.ends_with("deps") {
            folder.pop();
        }
        let program = folder.join("gorilla");
        assert!(program.is_file(), "{} is there: run cargo build", program.display());
        program
    }

    /// A replica of version 0.1, as it was before this version.
    pub fn program_of_0_1() -> PathBuf {
        let ours = Self::program();
        let target = ours.ancestors().nth(2).expect("a program is in a folder of the build");
        let program = target.join("skew/gorilla-0.1");
        assert!(program.is_file(), "{} is there: run tests/skew/build-0.1", program.display());
        program
    }

    /// The log of the replica so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
