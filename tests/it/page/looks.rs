//! How the page looks: pictures of each view under target/page/, barriers that axe-core finds, and boxes that must not
//! stick out.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Browser;
use crate::harness::{Api, Method, Redis, Replica, eventually};

const RUN_AXE: &str = "const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations
        .filter(each => ['serious', 'critical'].includes(each.impact))
        .map(each => each.id + ': ' + each.nodes.map(node => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')).slice(0, 4).join(' | '))));";

/// Where axe-core is; it comes from npm the first time.
fn axe() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let got = Command::new(root.join("tests/page/get-axe")).output().expect("the script runs");
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    let file = root.join(String::from_utf8_lossy(&got.stdout).trim());
    std::fs::read_to_string(file).expect("axe-core")
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page")
}

/// Locks as they are at night: a queue, a semaphore, readers, an old lock that nobody renews, many small ones.
/// Whoever waits does so as long as the connections are there.
async fn night(api: &Api) -> Vec<TcpStream> {
    for i in 1..=26 {
        api.granted(&format!("orders:{}", 40_311 + i), &format!("worker-{}", i % 7), 60 * i).await;
    }
    let body = json!({ "owner": "alice@laptop", "timeout": 86_400, "metadata": { "ticket": "OPS-1182" } });
    api.acquire_with("migrate-billing", &body, &[]).await;
    for owner in ["train-a", "train-b", "train-c"] {
        let body = json!({ "owner": owner, "timeout": 900, "mode": "shared", "limit": 8, "permits": 2 });
        api.acquire_with("gpu-pool", &body, &[]).await;
    }
    let body = json!({ "owner": "web-1", "timeout": 300, "mode": "shared" });
    api.acquire_with("config", &body, &[]).await;
    // A holder that renews, with a history, and a queue behind it.
    for (owner, timeout) in [("ci/4709", 30), ("ci/4710", 30), ("ci/4711", 120)] {
        let body = json!({ "owner": owner, "timeout": timeout, "metadata": { "job": "nightly", "commit": "9fceb02" } });
        let lock = api.acquire_with("deploy-web", &body, &[]).await.json();
        let token = lock["token"].as_str().expect("a token");
        for longer in [timeout + 60, timeout + 400, timeout + 800] {
            let path = format!("/api/v1/locks/deploy-web/{token}");
            let body = json!({ "timeout": longer, "rotate": false }).to_string();
            assert_eq!(api.send(Method::PUT, &path, &[], Some(body)).await.status, 200);
        }
        if owner != "ci/4711" {
            api.release("deploy-web", token).await;
        }
    }
    let mut waiting = Vec::new();
    for (lock, owner, more) in [
        ("deploy-web", "ci/4712", ""),
        ("deploy-web", "ci/4713", ""),
        ("deploy-web", "ci/4714", ""),
        ("gpu-pool", "train-d", r#","mode":"shared","limit":8,"permits":4"#),
    ] {
        let body = format!(r#"{{"owner":"{owner}","timeout":30,"wait":600{more}}}"#);
        let head = format!("POST /api/v1/locks/{lock} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json");
        waiting.push(api.sent(&format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await);
        eventually(&format!("{owner} waits"), Duration::from_secs(10), || async {
            api.get(&format!("/api/v1/locks/{lock}/queue")).await.text.contains(owner)
        })
        .await;
    }
    waiting
}

#[tokio::test]
async fn no_view_has_a_serious_barrier_or_sticks_out_in_any_size_and_theme() {
    let redis = Redis::start(&[]);
    let settings = [("GORILLA__LIMITS__MAX_WAIT", "10m"), ("GORILLA__EVENTS__RECORD", "always")];
    let replica = Replica::with(&redis.url(), &settings).await;
    eventually("events are recorded", Duration::from_secs(30), || async {
        redis.cli(&["EXISTS", "gorilla:events"]) == "1"
    })
    .await;
    let _waiting = night(&replica.api).await;
    let (axe, browser) = (axe(), Browser::at(&replica.api, "#/").await);
    let views = [
        ("overview", "#/", "[aria-labelledby=look-title] li"),
        ("locks", "#/locks", "tr[data-row]"),
        ("lock", "#/locks/deploy-web", ".answer"),
        ("semaphore", "#/locks/gpu-pool", ".group table"),
        ("contention", "#/contention", "h1"),
        ("events", "#/events", ".events tbody tr.begins"),
    ];
    let mut found = Vec::new();
    for (width, theme) in [(1440, "dark"), (1440, "light"), (390, "dark"), (390, "light")] {
        browser.size(width).await;
        browser.theme(theme).await;
        for (view, hash, wanted) in views {
            let at = format!("{view}, {width} pixels, {theme}");
            browser.open(hash).await;
            browser
                .becomes(
                    &format!("{at} is there"),
                    "return document.querySelector(arguments[0]) != null && document.querySelector('.loading') == null",
                    wanted,
                )
                .await;
            browser.picture(&pictures().join(format!("{view}-{width}-{theme}.png"))).await;
            let wide = browser.run("return document.documentElement.scrollWidth - innerWidth", Value::Null).await;
            assert!(wide.as_i64().is_some_and(|wide| wide <= 0), "{at}: {wide} pixels stick out");
            browser.run(&axe, Value::Null).await;
            found.extend(barriers(&browser).await.into_iter().map(|barrier| format!("{at}: {barrier}")));
            if view == "lock" {
                browser.click(".holder button", "Break").await;
                browser.shows("dialog", "This does not stop").await;
                browser.picture(&pictures().join(format!("break-{width}-{theme}.png"))).await;
                let wide =
                    "const dialog = document.querySelector('dialog'); return dialog.scrollWidth - dialog.clientWidth";
                let wide = browser.run(wide, Value::Null).await;
                assert!(wide.as_i64().is_some_and(|wide| wide <= 0), "{at}: {wide} pixels of the dialog are cut off");
                found.extend(barriers(&browser).await.into_iter().map(|barrier| format!("{at}, dialog: {barrier}")));
            }
            browser.is_clean().await;
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

async fn barriers(browser: &Browser) -> Vec<String> {
    let found = browser.run_later(RUN_AXE).await;
    found.as_array().into_iter().flatten().filter_map(|each| each.as_str().map(String::from)).collect()
}
