//! A bare axum route with the same JSON: what a service of this kind costs at least.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
};

use axum::{Json, Router, extract::Path, http::StatusCode, routing::post};
use gorilla_harness::Process;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Server, free_port, gorilla};
use crate::workload::Speech;

/// This program in a process of its own.
pub struct Floor {
    process: Process,
    port: u16,
}

impl Floor {
    /// Starts it.
    pub async fn start() -> Self {
        let port = free_port();
        let program = std::env::current_exe().expect("a running program has a path");
        let mut command = Command::new(program);
        command.args(["floor", &port.to_string()]);
        let process = Process::spawn(&mut command).expect("this program can be started once more");
        gorilla_harness::eventually("the floor listens", std::time::Duration::from_secs(5), || async {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
        })
        .await;
        Self { process, port }
    }
}

impl Server for Floor {
    fn name(&self) -> &'static str {
        "axum"
    }

    fn what(&self) -> String {
        "a bare axum route that reads and writes the same JSON and does nothing, one thread: the floor".into()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        vec![(Ipv4Addr::LOCALHOST, self.port).into()]
    }

    fn speech(&self, lock: usize) -> Box<dyn Speech> {
        Box::new(gorilla::Client::of(lock))
    }

    fn replicas(&self) -> Vec<u32> {
        vec![self.process.child.id()]
    }

    fn redis(&self) -> Option<u32> {
        None
    }
}

#[derive(Deserialize)]
struct Asked {
    owner: String,
    timeout: f64,
    metadata: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    id: Uuid,
    owner: String,
    resource: String,
    token: Uuid,
    timeout: f64,
    metadata: Option<Box<RawValue>>,
    created_at: &'static str,
    updated_at: &'static str,
    expire_at: &'static str,
    fence: u64,
    ttl_ms: u64,
}

/// Serves the routes on this port until the process is killed.
pub fn serve(port: u16) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = Router::new()
            .route("/api/v1/locks/{resource}", post(acquire))
            .route("/api/v1/locks/{resource}/{token}", axum::routing::delete(release).get(status));
        axum::serve(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?, router).await
    })
}

async fn acquire(Path(resource): Path<String>, Json(asked): Json<Asked>) -> Json<Lock> {
    let Asked { owner, timeout, metadata } = asked;
    Json(lock(resource, owner, timeout, metadata, Uuid::new_v4()))
}

async fn status(Path((resource, token)): Path<(String, Uuid)>) -> Json<Lock> {
    Json(lock(resource, "bench".into(), 60.0, None, token))
}

async fn release(Path((_, _)): Path<(String, Uuid)>) -> StatusCode {
    StatusCode::NO_CONTENT
}

fn lock(resource: String, owner: String, timeout: f64, metadata: Option<Box<RawValue>>, token: Uuid) -> Lock {
    let time = "2026-01-01T00:00:00.000Z";
    Lock {
        id: Uuid::now_v7(),
        owner,
        resource,
        token,
        timeout,
        metadata,
        created_at: time,
        updated_at: time,
        expire_at: time,
        fence: 1_767_225_600_000_000,
        ttl_ms: (timeout * 1000.0) as u64,
    }
}
