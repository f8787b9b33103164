//! What a replica tells Prometheus.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use serde_json::json;

use crate::harness::{
    AccessFile, Api, Key, Method, Redis, Replica, eventually, key_entry, lock_path, name, role, token,
};

/// The series of a page, with their values.
fn series(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut all = BTreeMap::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let before = all.insert(name.to_string(), value.parse().unwrap_or_else(|_| panic!("{line}")));
        assert_eq!(before, None, "{name} is there twice");
    }
    all
}

async fn scrape(api: &Api) -> BTreeMap<String, f64> {
    let page = api.get("/metrics").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    series(&page.text)
}

#[tokio::test]
async fn operations_are_counted_by_outcome_alone_and_in_batches() {
    let replica = Replica::start().await;
    let api = &replica.api;
    let before = scrape(api).await;
    assert!(before.keys().any(|name| name.starts_with("gorilla_operations_total")), "all are there at zero");
    let resource = name("counted");
    let lock = api.granted(&resource, "me", 30).await;
    assert_eq!(api.acquire(&resource, "you", 30).await.status, 409);
    assert_eq!(api.extend(&resource, "no-token", 30).await.status, 409);
    let batch = json!({ "operations": [
        { "op": "release", "resource": resource, "token": token(&lock) },
        { "op": "release", "resource": resource, "token": token(&lock) },
    ] });
    assert_eq!(api.batch(&batch, &[]).await.status, 200);
    assert_eq!(api.get("/nothing").await.status, 404);
    let after = scrape(api).await;
    for (series, count) in [
        (r#"gorilla_operations_total{operation="acquire",outcome="ok"}"#, 1.0),
        (r#"gorilla_operations_total{operation="acquire",outcome="lock_held"}"#, 1.0),
        (r#"gorilla_operations_total{operation="extend",outcome="token_mismatch"}"#, 1.0),
        (r#"gorilla_operations_total{operation="release",outcome="ok"}"#, 1.0),
        (r#"gorilla_operations_total{operation="release",outcome="lock_not_found"}"#, 1.0),
        (r#"gorilla_operations_total{operation="batch",outcome="ok"}"#, 1.0),
        (
            r#"http_server_requests_total{http_request_method="POST",http_route="/api/v1/locks/{resource}",http_response_status_code="409"}"#,
            1.0,
        ),
        (
            r#"http_server_requests_total{http_request_method="_OTHER",http_route="_OTHER",http_response_status_code="404"}"#,
            1.0,
        ),
        (
            r#"http_server_request_duration_seconds_count{http_request_method="POST",http_route="/api/v1/locks/{resource}"}"#,
            2.0,
        ),
        (r#"gorilla_redis_script_duration_seconds_count{script="try"}"#, 2.0),
    ] {
        let given = after.get(series).unwrap_or_else(|| panic!("{series} is not there"));
        assert_eq!(given - before[series], count, "{series}");
    }
    assert_eq!(after["gorilla_redis_up"], 1.0);
    assert!(after["gorilla_redis_clock_offset_seconds"].abs() < 1.0);
    assert!(after["process_resident_memory_bytes"] > 1e6 && after["process_cpu_seconds_total"] > 0.0);
}

#[tokio::test]
async fn a_wait_is_measured_as_a_wait_and_not_as_a_request() {
    let replica = Replica::start().await;
    let api = replica.api.clone();
    let resource = name("waited");
    let held = api.granted(&resource, "holder", 30).await;
    let waiting = {
        let (api, resource) = (api.clone(), resource.clone());
        tokio::spawn(async move {
            api.acquire_with(&resource, &json!({ "owner": "waiter", "timeout": 30, "wait": 20 }), &[]).await
        })
    };
    eventually("the replica says that a request waits", Duration::from_secs(5), || async {
        scrape(&api).await["gorilla_waiters"] == 1.0
    })
    .await;
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    assert_eq!(waiting.await.expect("no panic").status, 200);
    let after = scrape(&api).await;
    assert_eq!(after[r#"gorilla_wait_duration_seconds_count{outcome="granted"}"#], 1.0);
    let acquires = r#"http_server_request_duration_seconds_count{http_request_method="POST",http_route="/api/v1/locks/{resource}"}"#;
    assert_eq!(after[acquires], 1.0, "the acquire without a wait");
    assert_eq!(after["gorilla_waiters"], 0.0);
}

#[tokio::test]
async fn names_make_no_series_and_there_are_fewer_than_3000() {
    let replica = Replica::start().await;
    let count = scrape(&replica.api).await.len();
    let mut requests = Vec::new();
    for number in 0..500 {
        let api = replica.api.clone();
        requests.push(tokio::spawn(async move {
            let resource = name(&format!("series-{number}"));
            let owner = format!("owner-{number}");
            api.acquire_with(&resource, &json!({ "owner": owner, "timeout": 1 }), &[("X-Request-Id", &owner)]).await;
            api.get(&format!("/nothing-{number}")).await;
        }));
    }
    for request in requests {
        request.await.expect("no panic");
    }
    let after = scrape(&replica.api).await;
    assert_eq!(after.len(), count);
    assert!(count < 3000, "{count} series");
    println!("{count} series");
}

#[tokio::test]
async fn the_page_has_a_key_s_result_and_expiry_and_only_who_may_see_everything_reads_it() {
    let (ops, shop) = (Key::new("ops"), Key::new("shop"));
    let text = role("all", r#"{prefix="", verbs=["metrics","inspect"]}"#)
        + &role("some", r#"{prefix="shop:", verbs=["metrics","inspect"]}"#)
        + &key_entry("ops", "all", &ops, "")
        + &key_entry("shop", "some", &shop, "expires = 2099-01-01T00:00:00Z");
    let file = AccessFile::new(&text);
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    assert_eq!(replica.api.get("/metrics").await.status, 401);
    let refused = replica.api.with_key(&shop).get("/metrics").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "insufficient_scope"));
    let unknown = replica.api.with_key(&Key::new("unknown")).get(&lock_path("x")).await;
    assert_eq!(unknown.status, 401);
    let page = scrape(&replica.api.with_key(&ops)).await;
    for (result, count) in [("missing", 1.0), ("denied", 1.0), ("unknown", 1.0), ("ok", 1.0)] {
        let series = format!("gorilla_auth_total{{method=\"key\",result=\"{result}\"}}");
        assert!(page[&series] >= count, "{series}: {}", page[&series]);
    }
    assert_eq!(page["gorilla_access_generation"], 1.0);
    assert_eq!(page[r#"gorilla_key_expiry_timestamp_seconds{key="shop"}"#], 4_070_908_800.0);
}

#[tokio::test]
async fn with_an_address_of_their_own_the_metrics_are_nowhere_else() {
    let replica = Replica::with(&Redis::shared().url(), &[("GORILLA__SERVER__METRICS_LISTEN", "127.0.0.1:0")]).await;
    assert_eq!(replica.api.get("/metrics").await.status, 404);
    let log = replica.log();
    let line = log.lines().find(|line| line.contains("serving metrics")).expect("the log says where");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let inside = Api::at(line["address"].as_str().expect("an address"));
    let page = scrape(&inside).await;
    assert_eq!(page["gorilla_ready"], 1.0);
    for (method, path, status) in
        [(Method::GET, "/", 404), (Method::POST, "/metrics", 405), (Method::GET, "/api/v1/locks", 404)]
    {
        let url = format!("http://{}{path}", inside.address);
        let answer = reqwest::Client::new().request(method, url).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn open_metrics_is_written_for_those_who_ask_for_it() {
    let api = Replica::shared().await;
    let headers = [("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")];
    let page = api.send(Method::GET, "/metrics", &headers, None).await;
    assert_eq!(page.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(page.text.ends_with("# EOF\n"), "{}", &page.text[page.text.len() - 100..]);
    let names = |page: &str| {
        let names = series(page).into_keys();
        names.map(|name| name.split('{').next().unwrap_or_default().to_string()).collect::<HashSet<_>>()
    };
    let plain = api.get("/metrics").await;
    assert_eq!(names(&page.text), names(&plain.text), "both have the same");
}
