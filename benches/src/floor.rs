//! Serves a bare axum route with the same JSON as Gorilla, which shows what such a service costs at least.

use std::net::Ipv4Addr;

use axum::{Json, Router, extract::Path, http::StatusCode, routing::delete, routing::post};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Deserialize)]
struct Asked {
    owner: String,
    timeout: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    id: Uuid,
    owner: String,
    resource: String,
    token: Uuid,
    timeout: f64,
    metadata: (),
    created_at: &'static str,
    updated_at: &'static str,
    expire_at: &'static str,
    fence: u64,
    ttl_ms: u64,
}

pub fn serve(port: u16) -> anyhow::Result<()> {
    crate::load::block_on(async {
        let router = Router::new()
            .route("/api/v1/locks/{resource}", post(acquire))
            .route("/api/v1/locks/{resource}/{token}", delete(release).get(status));
        Ok(axum::serve(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?, router).await?)
    })
}

async fn acquire(Path(resource): Path<String>, Json(asked): Json<Asked>) -> Json<Lock> {
    Json(lock(resource, asked.owner, asked.timeout, Uuid::new_v4()))
}

async fn status(Path((resource, token)): Path<(String, Uuid)>) -> Json<Lock> {
    Json(lock(resource, "bench".into(), 60.0, token))
}

async fn release(Path((_, _)): Path<(String, Uuid)>) -> StatusCode {
    StatusCode::NO_CONTENT
}

fn lock(resource: String, owner: String, timeout: f64, token: Uuid) -> Lock {
    let [created_at, updated_at, expire_at] = ["2026-01-01T00:00:00.000Z"; 3];
    let (id, fence, ttl_ms) = (Uuid::now_v7(), 1_767_225_600_000_000, (timeout * 1000.0) as u64);
    Lock { id, owner, resource, token, timeout, metadata: (), created_at, updated_at, expire_at, fence, ttl_ms }
}
