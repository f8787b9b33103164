//! Every expression of the alerts and of the dashboard, asked of a real Prometheus that reads the metrics of a replica
//! under load.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use promql_parser::{
    parser::{self, Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{MAY_BE_ZERO, project, prometheus::Prometheus};
use crate::harness::{AccessFile, Api, Key, Redis, Replica, eventually, key_entry, name, role, token};

/// Something that Prometheus is asked.
struct Asked {
    /// The alert or the panel.
    by: String,
    expression: String,
    /// Labels that its series must have.
    labels: Vec<String>,
}

/// The selectors of an expression.
fn selectors(expression: &str) -> Vec<VectorSelector> {
    struct Selectors(Vec<VectorSelector>);
    impl ExprVisitor for Selectors {
        type Error = String;
        fn pre_visit(&mut self, expression: &Expr) -> Result<bool, String> {
            match expression {
                Expr::VectorSelector(selector) => self.0.push(selector.clone()),
                Expr::MatrixSelector(range) => self.0.push(range.vs.clone()),
                _ => {}
            }
            Ok(true)
        }
    }
    let parsed = parser::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let mut found = Selectors(Vec::new());
    walk_expr(&mut found, &parsed).expect("a visit without errors");
    assert!(!found.0.is_empty(), "{expression} has selectors");
    found.0
}

fn metric(selector: &VectorSelector) -> &str {
    selector.name.as_deref().unwrap_or_else(|| panic!("{selector} names a metric"))
}

fn may_show_nothing(expression: &str) -> bool {
    selectors(expression).iter().any(|selector| metric(selector) == MAY_BE_ZERO)
}

/// The expressions of the panels. Grafana puts a length of time in the place of `$__rate_interval`.
fn panels() -> Vec<Asked> {
    let text = fs::read_to_string(project("deploy/grafana/gorilla.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert_eq!(panels.len(), 12);
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_string();
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets").clone();
        assert!(!targets.is_empty(), "{title} shows something");
        targets.into_iter().map(move |target| {
            let expression = target["expr"].as_str().expect("an expression").replace("$__rate_interval", "1m");
            assert!(!expression.contains('$'), "{title} uses no other variable: {expression}");
            let legend = target["legendFormat"].as_str().expect("a legend");
            let labels = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).map(String::from);
            Asked { by: title.clone(), expression, labels: labels.collect() }
        })
    };
    panels.iter().flat_map(of_panel).collect()
}

/// The rules that Prometheus evaluates.
async fn rules(prometheus: &Prometheus) -> Vec<Value> {
    let data = prometheus.ask("rules", &[]).await.expect("the rules");
    let groups = data["groups"].as_array().expect("groups");
    groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).cloned().collect()
}

/// The expressions of the alerts, as Prometheus has read them. None of them failed so far.
async fn alerts(prometheus: &Prometheus) -> Vec<Asked> {
    let alert = |rule: &Value| {
        let by = rule["name"].as_str().expect("a name").to_string();
        assert_eq!(rule["health"], "ok", "{by}: {rule}");
        Asked { by, expression: rule["query"].as_str().expect("an expression").to_string(), labels: Vec::new() }
    };
    rules(prometheus).await.iter().map(alert).collect()
}

/// Takes, waits for, extends and releases locks, and asks for what is refused.
async fn work(api: Api, client: usize) {
    for round in 0..10 {
        let resource = name(&format!("observed-{client}-{round}"));
        let lock = api.granted(&resource, "me", 30).await;
        let waiting = {
            let (api, resource) = (api.clone(), resource.clone());
            tokio::spawn(async move {
                api.acquire_with(&resource, &json!({ "owner": "you", "timeout": 30, "wait": 20 }), &[]).await
            })
        };
        let lock = api.extend(&resource, token(&lock), 60).await;
        assert_eq!(lock.status, 200);
        assert_eq!(api.acquire(&resource, "they", 30).await.status, 409);
        assert_eq!(api.release(&resource, token(&lock.json())).await.status, 204);
        let lock = waiting.await.expect("no panic");
        assert_eq!((lock.status, api.release(&resource, token(&lock.json())).await.status), (200, 204));
    }
}

#[tokio::test]
async fn every_expression_of_alerts_and_panels_selects_series_of_a_replica_under_load() {
    let (ops, ci) = (Key::new("ops"), Key::new("ci"));
    let verbs = r#"["acquire","wait","extend","release","inspect","list","metrics"]"#;
    let in_a_day = humantime::format_rfc3339_seconds(SystemTime::now() + Duration::from_secs(86_400));
    let file = AccessFile::new(
        &(role("all", &format!("{{prefix=\"\", verbs={verbs}}}"))
            + &key_entry("ops", "all", &ops, "")
            + &key_entry("ci", "all", &ci, &format!("expires = {in_a_day}"))),
    );
    let path = file.path();
    let settings = [
        ("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8")),
        // Prometheus comes without a key, as in compose.
        ("GORILLA__SERVER__METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let log = replica.log();
    let line = log.lines().find(|line| line.contains("serving metrics")).expect("the log says where");
    let line: Value = serde_json::from_str(line).expect("JSON");
    let prometheus = Prometheus::of(line["address"].as_str().expect("an address"));

    eventually("Prometheus reads the metrics", Duration::from_secs(30), || async {
        prometheus.query("up == 1").await.is_ok_and(|series| series.len() == 1)
    })
    .await;
    let mut load = JoinSet::new();
    for client in 0..8 {
        load.spawn(work(replica.api.with_key(&ops), client));
    }
    while let Some(ended) = load.join_next().await {
        ended.expect("no panic");
    }
    assert_eq!(replica.api.get("/api/v1/locks").await.status, 401);
    eventually("Prometheus has seen the load", Duration::from_secs(60), || async {
        let rate = prometheus.query(r#"sum(rate(gorilla_operations_total{operation="release"}[1m]))"#).await;
        let rate = rate.expect("an answer");
        rate.first().and_then(|series| series["value"][1].as_str()?.parse::<f64>().ok()).is_some_and(|rate| rate > 0.0)
    })
    .await;
    eventually("Prometheus has evaluated all alerts", Duration::from_secs(60), || async {
        rules(&prometheus).await.iter().all(|rule| rule["health"] != "unknown")
    })
    .await;

    let (alerts, panels) = (alerts(&prometheus).await, panels());
    let mut problems = Vec::new();
    for Asked { by, expression, labels } in alerts.iter().chain(&panels) {
        for selector in selectors(expression) {
            let selected = format!("{selector}");
            let series = prometheus.ask("series", &[("match[]", &selected)]).await;
            let is_there = series.as_ref().is_ok_and(|series| series.as_array().is_some_and(|all| !all.is_empty()));
            if !is_there {
                problems.push(format!("{by}: {selected} selects nothing ({series:?})"));
            }
        }
        match prometheus.query(expression).await {
            Err(error) => problems.push(format!("{by}: {expression}: {error}")),
            Ok(series) => {
                for label in labels {
                    let missing = |series: &Value| series["metric"][label].is_null();
                    if series.iter().any(missing) {
                        problems.push(format!("{by}: {expression} has no label {label}, which its legend shows"));
                    }
                }
                if series.is_empty() && panels.iter().any(|panel| panel.by == *by) && !may_show_nothing(expression) {
                    problems.push(format!("{by}: {expression} shows nothing"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
