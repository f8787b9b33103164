//! Gorilla as it is shipped.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use gorilla_harness::{Api, Method, Process, Redis, Replica};

use super::{Server, between, free_port, http, refused};
use crate::{
    load::Answer,
    workload::{Speech, Step},
};

/// Replicas in front of a Redis of their own, with the settings that they have by themselves.
pub struct Gorilla {
    name: &'static str,
    replicas: Vec<(Process, SocketAddr)>,
    redis: Redis,
}

impl Gorilla {
    /// Starts so many replicas.
    pub async fn start(count: usize) -> Self {
        Self::of("gorilla", &Replica::program(), count).await
    }

    /// The same of another build, to be compared with this one.
    pub async fn of(name: &'static str, program: &Path, count: usize) -> Self {
        let redis = Redis::start(&[]);
        let mut replicas = Vec::new();
        for _ in 0..count {
            replicas.push(replica(program, &redis).await);
        }
        Self { name, replicas, redis }
    }

    /// The Redis that keeps the locks.
    pub fn database(&self) -> &Redis {
        &self.redis
    }
}

impl Server for Gorilla {
    fn name(&self) -> &'static str {
        self.name
    }

    fn what(&self) -> String {
        format!("Gorilla {}: POST and DELETE of a lock, as it is shipped", env!("CARGO_PKG_VERSION"))
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.replicas.iter().map(|(_, address)| *address).collect()
    }

    fn speech(&self, lock: usize) -> Box<dyn Speech> {
        Box::new(Client::of(lock))
    }

    fn waiting_speech(&self, lock: usize) -> Box<dyn Speech> {
        Box::new(Client { asked: "{\"owner\":\"bench\",\"timeout\":60,\"wait\":60}", ..Client::of(lock) })
    }

    fn replicas(&self) -> Vec<u32> {
        self.replicas.iter().map(|(process, _)| process.child.id()).collect()
    }

    fn redis(&self) -> Option<u32> {
        Some(self.redis.pid())
    }
}

/// A replica that is ready. Its log is written as it is by default, and read by nobody: a reader would share the machine.
async fn replica(program: &Path, redis: &Redis) -> (Process, SocketAddr) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let mut command = Command::new(program);
    command.args(["serve", "--listen", &address.to_string(), "--redis-url", &redis.url()]).stderr(Stdio::null());
    let process = Process::spawn(&mut command).expect("gorilla starts");
    let api = Api::at(&address.to_string());
    gorilla_harness::eventually("the replica is ready", Duration::from_secs(10), || async {
        api.try_send(Method::GET, "/_ready", &[], None).await.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    (process, address)
}

/// Speaks Gorilla's API.
pub struct Client {
    path: String,
    /// The body of an acquire.
    asked: &'static str,
    token: String,
}

impl Client {
    /// For the lock of this number.
    pub fn of(lock: usize) -> Self {
        let (path, asked) = (format!("/api/v1/locks/bench-{lock}"), "{\"owner\":\"bench\",\"timeout\":60}");
        Self { path, asked, token: String::new() }
    }
}

impl Speech for Client {
    fn say(&mut self, step: Step, request: &mut Vec<u8>) {
        let Self { path, asked, token } = self;
        match step {
            Step::Acquire => http(request, "POST", path, asked),
            Step::Status => http(request, "GET", &format!("{path}/{token}"), ""),
            Step::Extend => http(request, "PUT", &format!("{path}/{token}"), "{\"timeout\":60}"),
            Step::Release => http(request, "DELETE", &format!("{path}/{token}"), ""),
        }
    }

    fn hear(&mut self, step: Step, answer: &Answer) -> Result<(), String> {
        match (step, answer.status) {
            (Step::Release, 204) => {}
            (Step::Acquire | Step::Extend | Step::Status, 200) => {
                let token = between(answer.body, "\"token\":\"", b'"').ok_or_else(|| refused(step, answer))?;
                self.token.clear();
                self.token.push_str(token);
            }
            _ => return Err(refused(step, answer)),
        }
        Ok(())
    }
}
