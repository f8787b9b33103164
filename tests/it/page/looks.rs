//! How the page looks: pictures of each view under target/page/, barriers that axe-core finds, and boxes that must not
//! stick out.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::Browser;
use crate::harness::{Api, Redis, Replica};

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
async fn night(api: &Api) {
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
    let body = json!({ "owner": "ci/4709", "timeout": 30, "metadata": { "job": "nightly", "commit": "9fceb02" } });
    let before = api.acquire_with("deploy-web", &body, &[]).await.json();
    for (lock, owner, timeout) in [
        ("deploy-web", "ci/4711", 30),
        ("deploy-web", "ci/4712", 30),
        ("deploy-web", "ci/4713", 30),
        ("gpu-pool", "train-d", 30),
    ] {
        let api = api.clone();
        let mut body = json!({ "owner": owner, "timeout": timeout, "wait": 58, "metadata": { "job": "nightly", "commit": "9fceb02" } });
        if lock == "gpu-pool" {
            body["mode"] = "shared".into();
            body["limit"] = 8.into();
            body["permits"] = 4.into();
        }
        tokio::spawn(async move { api.acquire_with(lock, &body, &[]).await });
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    api.release("deploy-web", before["token"].as_str().expect("a token")).await;
}

#[tokio::test]
async fn no_view_has_a_serious_barrier_or_sticks_out_in_any_size_and_theme() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    night(&replica.api).await;
    let (axe, browser) = (axe(), Browser::at(&replica.api, "#/").await);
    let views = [
        ("overview", "#/", "[aria-labelledby=look-title] li"),
        ("locks", "#/locks", "tr[data-row]"),
        ("lock", "#/locks/deploy-web", ".answer"),
        ("semaphore", "#/locks/gpu-pool", ".group table"),
        ("contention", "#/contention", "h1"),
        ("events", "#/events", "h1"),
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
