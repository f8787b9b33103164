//! A client that sends a parameter means something by it, so an unknown one is refused.

use gorilla_wire::Operation;
use serde_json::json;

use crate::harness::{Method, Replica};

#[tokio::test]
async fn an_unknown_parameter_is_refused_by_every_get_of_the_api() {
    let api = Replica::shared().await;
    let gets = Operation::ALL.into_iter().filter(|operation| operation.method() == Method::GET);
    let mut checked = 0;
    for operation in gets.filter(|operation| operation.path().starts_with("/api/")) {
        let path = operation.path().replace("{resource}", "parameters").replace("{token}", &"0".repeat(36));
        for accept in ["*/*", "application/json"] {
            let answer = api.send(Method::GET, &format!("{path}?nonsense=1"), &[("Accept", accept)], None).await;
            assert_eq!((answer.status, &answer.json()["field"]), (400, &json!("query")), "{operation:?}: {answer:?}");
        }
        checked += 1;
    }
    assert!(checked >= 7, "{checked}");
}

#[tokio::test]
async fn wrong_parameters_of_the_events_are_refused_before_anything_is_begun() {
    let api = Replica::shared().await;
    let many: String = (0..17).map(|number| format!("&resource=a{number}")).collect();
    for (query, field) in [
        ("types=eaten".into(), "types"),
        ("types=leader".into(), "types"),
        ("snapshot=maybe".into(), "snapshot"),
        ("prefix=a&prefix=b".into(), "prefix"),
        ("resource=a/b".into(), "resource"),
        ("wait=3".into(), "wait"),
        (format!("prefix=a{many}"), "resource"),
    ] {
        let answer = api.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}: {answer:?}");
    }
}
