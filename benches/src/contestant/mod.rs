//! Servers that are asked over HTTP for locks, each with what it stands on.

mod etcd;
mod floor;
mod gorilla;
mod webdis;

use std::{net::SocketAddr, path::Path};

use crate::workload::Speech;
use etcd::Leases;
pub use floor::serve as serve_floor;

/// A server that runs.
pub trait Server {
    /// As results have it.
    fn name(&self) -> &'static str;
    /// Its version, and what one cycle of it does.
    fn what(&self) -> String;
    /// Where it listens.
    fn addresses(&self) -> Vec<SocketAddr>;
    /// A client for the lock of this number.
    fn speech(&self, lock: usize) -> Box<dyn Speech>;
    /// A client for a lock that all want, which waits for it.
    fn waiting_speech(&self, lock: usize) -> Box<dyn Speech> {
        self.speech(lock)
    }
    /// The processes that clients speak to.
    fn replicas(&self) -> Vec<u32>;
    /// The Redis behind it, if that is another process.
    fn redis(&self) -> Option<u32>;
}

/// Why a server can't be had.
pub struct Missing {
    /// As results would have it.
    pub name: &'static str,
    /// What is missing, and how to get it.
    pub why: String,
}

/// Starts those that are wanted, in the order of the tables. `other` is another build of Gorilla.
pub async fn start(wanted: impl Fn(&str) -> bool, other: Option<&Path>) -> Vec<Result<Box<dyn Server>, Missing>> {
    fn boxed<S: Server + 'static>(name: &'static str, server: Result<S, String>) -> Result<Box<dyn Server>, Missing> {
        server.map(|server| Box::new(server) as _).map_err(|why| Missing { name, why })
    }
    let mut servers = Vec::new();
    if wanted("gorilla") {
        servers.push(boxed("gorilla", Ok(Gorilla::start(1).await)));
    }
    if let Some(other) = other {
        servers.push(boxed("gorilla-other", Ok(Gorilla::of("gorilla-other", other, 1).await)));
    }
    if wanted("webdis") {
        servers.push(boxed("webdis", webdis::Webdis::start().await));
    }
    for (name, leases) in [("etcd", Leases::OfClients), ("etcd-leases", Leases::OfLocks)] {
        if wanted(name) {
            servers.push(boxed(name, etcd::Etcd::start(leases).await));
        }
    }
    if wanted("axum") {
        servers.push(boxed("axum", Ok(floor::Floor::start().await)));
    }
    servers
}

pub use gorilla::Gorilla;

/// Appends a request of HTTP/1.1.
fn http(request: &mut Vec<u8>, method: &str, path: &str, body: &str) {
    use std::io::Write;
    let length = body.len();
    // A vector takes all that is written.
    let _ = match method {
        "GET" | "DELETE" => write!(request, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        _ => write!(
            request,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    };
}

/// What stands between two texts.
fn between<'a>(text: &'a [u8], before: &str, after: u8) -> Option<&'a str> {
    let start = memchr::memmem::find(text, before.as_bytes())? + before.len();
    let end = start + memchr::memchr(after, &text[start..])?;
    std::str::from_utf8(&text[start..end]).ok()
}

/// The refusal that ends a load.
fn refused(step: crate::workload::Step, answer: &crate::load::Answer) -> String {
    format!("{step:?} was answered {} {}", answer.status, String::from_utf8_lossy(answer.body))
}

/// A port that is free when this returns.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}
