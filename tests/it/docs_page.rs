//! The page that shows the interface to people: what a real browser makes of it, and what it is told.

use std::{
    collections::BTreeSet,
    fs::{File, read_to_string},
};

use gorilla_wire::Operation;
use serde_json::Value;

use crate::{
    chromium::{chromium, shown_by},
    harness::{Api, Method, Replica},
};

/// The requests that pages made, in the log that Chromium keeps of its network. What the browser asks for by itself, such
/// as updates, no page has initiated.
fn requests_of_pages(log: &str) -> BTreeSet<String> {
    let log: Value = serde_json::from_str(log).expect("JSON");
    let begin = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(begin.is_number(), "this Chromium calls the beginning of a request otherwise");
    let events = log["events"].as_array().expect("events").iter().filter(|event| event["type"] == *begin);
    let of_pages = events.filter(|event| event["params"]["initiator"].as_str().is_some_and(|who| who.contains("://")));
    of_pages.filter_map(|event| Some(event["params"]["url"].as_str()?.to_string())).collect()
}

#[tokio::test]
async fn a_browser_shows_every_operation_and_asks_nobody_but_the_replica() {
    let api = Replica::shared().await;
    let profile = tempfile::tempdir().expect("a folder");
    let (network, console) = (profile.path().join("network.json"), profile.path().join("console.log"));
    let mut command = chromium(profile.path());
    command
        .args(["--enable-logging=stderr", "--virtual-time-budget=30000", "--dump-dom"])
        .arg(format!("--log-net-log={}", network.display()))
        .arg(format!("http://{}/docs", api.address))
        .stderr(File::create(&console).expect("a file"));
    let shown = tokio::task::spawn_blocking(|| shown_by(command)).await.expect("no panic");

    for operation in Operation::ALL {
        let (method, path) = (operation.method().as_str().to_lowercase(), operation.path());
        let blocks = shown.split("class=\"opblock opblock-").skip(1);
        let is_it =
            |block: &str| block.starts_with(&format!("{method}\"")) && block.contains(&format!("data-path=\"{path}\""));
        assert!(blocks.into_iter().any(is_it), "{method} {path} is not shown: {shown}");
    }
    assert!(
        shown.contains(&format!("<option value=\"http://{}\">", api.address)),
        "what is tried goes to this replica"
    );

    let requests = requests_of_pages(&read_to_string(network).expect("the log of the network"));
    let own = |path: &str| format!("http://{}{path}", api.address);
    let expected = [
        "/docs/favicon-32x32.png",
        "/docs/start.js",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/openapi.json",
    ];
    // The picture for the tab is asked for when the browser has time, if at all.
    let requests: BTreeSet<_> = requests.into_iter().chain([own(expected[0])]).collect();
    assert_eq!(requests, expected.iter().map(|path| own(path)).collect());

    let console = read_to_string(console).expect("the console");
    let refused = console.lines().filter(|line| line.contains("Content Security Policy")).collect::<Vec<_>>();
    assert!(refused.is_empty(), "the page needs what it may not have: {refused:?}");
    assert!(!console.contains("Uncaught"), "{console}");
}

/// Answers of the page and of its files.
async fn pages(api: &Api) -> Vec<(&'static str, crate::harness::Answer)> {
    let mut all = Vec::new();
    for path in ["/docs", "/docs/start.js", "/docs/favicon-32x32.png", "/docs/swagger-ui.css"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        all.push((path, answer));
    }
    all
}

#[tokio::test]
async fn the_page_may_load_from_its_own_origin_alone_and_no_other_page_may_show_it() {
    for (path, answer) in pages(&Replica::shared().await).await {
        let policy = answer.header("content-security-policy").expect("a policy");
        for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.split("; ").any(|given| given == rule), "{path} has not {rule}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_has_a_file_gets_it_again_only_when_it_has_changed() {
    let api = Replica::shared().await;
    for (path, answer) in pages(&api).await {
        let tag = answer.header("etag").expect("an ETag").to_string();
        let again = api.send(Method::GET, path, &[("If-None-Match", &tag)], None).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(tag.as_str())), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
    }
    assert_eq!(api.get("/docs/other.js").await.code(), "not_found");
}
