//! webdis, a bare HTTP proxy of Redis in C, told to run the scripts that Gorilla runs.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use gorilla_harness::{Process, Redis};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Server, between, free_port, http, refused};
use crate::{
    load::Answer,
    scripts::{Scripts, acquire_args},
    workload::{Speech, Step},
};

/// How to get it.
const GET_IT: &str = "no program `webdis` is in PATH; on Debian: apt-get install webdis";

/// webdis in front of a Redis of its own.
pub struct Webdis {
    process: Process,
    port: u16,
    redis: Redis,
    scripts: Rc<Scripts>,
    _folder: TempDir,
}

impl Webdis {
    /// Starts it with two threads, as Debian's configuration has it, without a log.
    pub async fn start() -> Result<Self, String> {
        let redis = Redis::start(&[]);
        let scripts = Rc::new(Scripts::loaded(&redis)?);
        let (port, folder) = (free_port(), tempfile::tempdir().map_err(|error| error.to_string())?);
        let settings = serde_json::json!({
            "redis_host": "127.0.0.1", "redis_port": redis.port, "http_host": "127.0.0.1", "http_port": port,
            "threads": 2, "daemonize": false, "database": 0, "verbosity": 0, "logfile": "/dev/null",
        });
        let file = folder.path().join("webdis.json");
        std::fs::write(&file, settings.to_string()).map_err(|error| error.to_string())?;
        let mut command = Command::new("webdis");
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::spawn(&mut command).map_err(|_| GET_IT)?;
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if begun.elapsed() > Duration::from_secs(5) {
                return Err("webdis does not listen within 5 s".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { process, port, redis, scripts, _folder: folder })
    }
}

impl Server for Webdis {
    fn name(&self) -> &'static str {
        "webdis"
    }

    fn what(&self) -> String {
        let version = Command::new("dpkg-query").args(["-W", "-f", "${Version}", "webdis"]).output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        format!(
            "webdis {version}: POST of EVALSHA with the very scripts and arguments that Gorilla sends, two threads, no log"
        )
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![(Ipv4Addr::LOCALHOST, self.port).into()]
    }

    fn speech(&self, lock: usize) -> Box<dyn Speech> {
        let keys = |what: &[&str]| -> String {
            what.iter().map(|what| format!("/gorilla%3A%7Bbench-{lock}%7D%3A{what}")).collect()
        };
        // What stays the same when id and token change.
        let args = acquire_args("", "", "60000");
        let asked = args[2..].iter().map(|arg| utf8_percent_encode(arg, NON_ALPHANUMERIC).to_string());
        Box::new(Client {
            asked: asked.collect::<Vec<_>>().join("/"),
            acquire: format!(
                "EVALSHA/{}/5{}",
                self.scripts.acquire,
                keys(&["lock", "fence", "queue", "queue%3Aturn", "request"])
            ),
            status: format!("EVALSHA/{}/2{}", self.scripts.inspect, keys(&["lock", "queue"])),
            extend: format!("EVALSHA/{}/2{}", self.scripts.extend, keys(&["lock", "fence"])),
            release: format!("EVALSHA/{}/3{}", self.scripts.release, keys(&["lock", "queue", "queue%3Aturn"])),
            token: String::new(),
            new_token: String::new(),
        })
    }

    fn replicas(&self) -> Vec<u32> {
        vec![self.process.child.id()]
    }

    fn redis(&self) -> Option<u32> {
        Some(self.redis.pid())
    }
}

/// Speaks to scripts, and so does what a replica would: it thinks of ids and tokens.
struct Client {
    acquire: String,
    /// The arguments of an acquire from the third on.
    asked: String,
    status: String,
    extend: String,
    release: String,
    token: String,
    new_token: String,
}

impl Speech for Client {
    fn say(&mut self, step: Step, request: &mut Vec<u8>) {
        let command = match step {
            Step::Acquire => {
                let (id, token) = (Uuid::now_v7(), Uuid::new_v4());
                self.token = token.to_string();
                // The request's key ends with the id.
                format!("{}%3A{id}/{id}/{token}/{}", self.acquire, self.asked)
            }
            Step::Status => format!("{}/{}", self.status, self.token),
            Step::Extend => {
                self.new_token = Uuid::new_v4().to_string();
                format!("{}/{}/{}/60000/86400000//60000", self.extend, self.token, self.new_token)
            }
            Step::Release => format!("{}/{}//60000", self.release, self.token),
        };
        http(request, "POST", "/", &command);
    }

    fn hear(&mut self, step: Step, answer: &Answer) -> Result<(), String> {
        let wanted = match step {
            Step::Acquire => "granted",
            Step::Status => "held",
            Step::Extend => "extended",
            Step::Release => "released",
        };
        if between(answer.body, "{\"EVALSHA\":[\"", b'"') != Some(wanted) {
            return Err(refused(step, answer));
        }
        if step == Step::Extend {
            std::mem::swap(&mut self.token, &mut self.new_token);
        }
        Ok(())
    }
}
