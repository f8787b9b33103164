//! etcd's lock service over its HTTP gateway.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use gorilla_harness::Process;
use tempfile::TempDir;

use super::{Server, between, free_port, http, refused};
use crate::{
    load::{Answer, Framing},
    workload::{Speech, Step},
};

/// How to get it.
const GET_IT: &str = "no program `etcd` is in PATH; on Debian: apt-get install etcd-server";

/// What a lock's life hangs on.
#[derive(Clone, Copy)]
pub enum Leases {
    /// Each client has a lease that it keeps for all its locks, one after another.
    OfClients,
    /// Each lock has a lease, so that it ends by itself, as Gorilla's do.
    OfLocks,
}

/// One etcd, alone.
pub struct Etcd {
    leases: Leases,
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl Etcd {
    /// Starts it with a folder of its own.
    pub async fn start(leases: Leases) -> Result<Self, String> {
        let (port, peers, folder) = (free_port(), free_port(), tempfile::tempdir().map_err(|error| error.to_string())?);
        let url = |port| format!("http://127.0.0.1:{port}");
        let mut command = Command::new("etcd");
        command
            .arg("--data-dir")
            .arg(folder.path())
            .args(["--listen-client-urls", &url(port), "--advertise-client-urls", &url(port)])
            .args(["--listen-peer-urls", &url(peers), "--initial-advertise-peer-urls", &url(peers)])
            .args(["--initial-cluster", &format!("default={}", url(peers)), "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process::spawn(&mut command).map_err(|_| GET_IT)?;
        let etcd = Self { leases, process, port, _folder: folder };
        let begun = Instant::now();
        while etcd.lease().is_none() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("etcd grants no lease within 20 s".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(etcd)
    }

    /// A lease, which outlives the benchmark.
    fn lease(&self) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let (mut request, mut received) = (Vec::new(), Vec::new());
        http(&mut request, "POST", "/v3/lease/grant", "{\"TTL\":\"36000\"}");
        stream.write_all(&request).ok()?;
        let mut buffer = [0; 1024];
        loop {
            let length = stream.read(&mut buffer).ok().filter(|&length| length > 0)?;
            received.extend_from_slice(&buffer[..length]);
            if let Some((answer, _)) = Framing::Http.answer(&received).ok()? {
                return between(answer.body, "\"ID\":\"", b'"').map(String::from);
            }
        }
    }
}

impl Server for Etcd {
    fn name(&self) -> &'static str {
        match self.leases {
            Leases::OfClients => "etcd",
            Leases::OfLocks => "etcd-leases",
        }
    }

    fn what(&self) -> String {
        let version = Command::new("etcd").arg("--version").output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let version = version.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default();
        let cycle = match self.leases {
            Leases::OfClients => {
                "v3/lock/lock and v3/lock/unlock, each client with a lease that it keeps: its locks don't end by themselves one by one"
            }
            Leases::OfLocks => {
                "v3/lease/grant, v3/lock/lock and v3/lease/revoke, so that each lock has a lease of its own"
            }
        };
        format!("etcd {version}, one node, over its HTTP gateway: {cycle}")
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![(Ipv4Addr::LOCALHOST, self.port).into()]
    }

    fn speech(&self, lock: usize) -> Box<dyn Speech> {
        let name = STANDARD.encode(format!("bench-{lock}"));
        match self.leases {
            Leases::OfClients => {
                let lease = self.lease().expect("etcd has granted leases before");
                Box::new(Client { lock: asked(&name, &lease), key: String::new() })
            }
            Leases::OfLocks => Box::new(LeasingClient { name, lease: String::new(), is_leased: false }),
        }
    }

    fn replicas(&self) -> Vec<u32> {
        vec![self.process.child.id()]
    }

    fn redis(&self) -> Option<u32> {
        None
    }
}

/// What v3/lock/lock takes.
fn asked(name: &str, lease: &str) -> String {
    format!("{{\"name\":\"{name}\",\"lease\":\"{lease}\"}}")
}

struct Client {
    lock: String,
    key: String,
}

impl Speech for Client {
    fn say(&mut self, step: Step, request: &mut Vec<u8>) {
        match step {
            Step::Acquire => http(request, "POST", "/v3/lock/lock", &self.lock),
            Step::Release => http(request, "POST", "/v3/lock/unlock", &format!("{{\"key\":\"{}\"}}", self.key)),
            Step::Status | Step::Extend => unreachable!("etcd's lock service has no such request"),
        }
    }

    fn hear(&mut self, step: Step, answer: &Answer) -> Result<(), String> {
        if answer.status != 200 {
            return Err(refused(step, answer));
        }
        if step == Step::Acquire {
            self.key = between(answer.body, "\"key\":\"", b'"').ok_or_else(|| refused(step, answer))?.into();
        }
        Ok(())
    }
}

struct LeasingClient {
    name: String,
    lease: String,
    /// Whether the acquire has got as far as to have a lease.
    is_leased: bool,
}

impl Speech for LeasingClient {
    fn say(&mut self, step: Step, request: &mut Vec<u8>) {
        match step {
            Step::Acquire if !self.is_leased => http(request, "POST", "/v3/lease/grant", "{\"TTL\":\"60\"}"),
            Step::Acquire => http(request, "POST", "/v3/lock/lock", &asked(&self.name, &self.lease)),
            // Takes the lock's key with it.
            Step::Release => http(request, "POST", "/v3/lease/revoke", &format!("{{\"ID\":\"{}\"}}", self.lease)),
            Step::Status | Step::Extend => unreachable!("etcd's lock service has no such request"),
        }
    }

    fn hear(&mut self, step: Step, answer: &Answer) -> Result<(), String> {
        if answer.status != 200 {
            return Err(refused(step, answer));
        }
        let is_grant = step == Step::Acquire && !self.is_leased;
        if is_grant {
            self.lease = between(answer.body, "\"ID\":\"", b'"').ok_or_else(|| refused(step, answer))?.into();
        }
        self.is_leased = is_grant;
        Ok(())
    }

    fn goes_on(&self) -> bool {
        self.is_leased
    }
}
