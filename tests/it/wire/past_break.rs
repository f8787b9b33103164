//! A holder whose lock was broken learns it with its next request: when, and why.

use serde_json::{Value, json};

use super::fields;
use crate::harness::{Answer, Replica, name, token};

const REASON: &str = "its host \"is\" gone";

#[track_caller]
fn tells(answer: &Answer, code: &str, reason: &Value) {
    let told = answer.json();
    assert_eq!(told["code"], code, "{told}");
    assert_eq!(told["outcome"], "not_executed", "{told}");
    assert_eq!((&told["reason"], &told["brokenBy"]), (reason, &Value::Null), "{told}");
    let at = told["brokenAt"].as_str().unwrap_or_else(|| panic!("{told}"));
    humantime::parse_rfc3339(at).expect("a time");
    let message = told["errorMessage"].as_str().expect("a sentence");
    assert!(message.contains(&format!("The grant of this token was broken at {at}")), "{message}");
    if let Some(reason) = reason.as_str() {
        assert!(message.contains(&format!("{reason:?}")), "{message}");
    }
}

#[tokio::test]
async fn each_operation_with_the_dead_token_says_when_and_why_the_lock_was_broken() {
    let (api, resource) = (Replica::shared().await, name("past-break"));
    let lock = api.granted(&resource, "holder", 30).await;
    let dead = token(&lock);
    api.break_lock(&resource, &json!({ "reason": REASON }), &[]).await;
    for next_holds in [false, true] {
        let code = |free: &'static str, held: &'static str| if next_holds { held } else { free };
        if next_holds {
            api.granted(&resource, "next", 30).await;
        }
        let extended = api.extend(&resource, dead, 30).await;
        tells(&extended, code("lock_not_found", "token_mismatch"), &json!(REASON));
        tells(&api.release(&resource, dead).await, code("lock_not_found", "token_not_found"), &json!(REASON));
        tells(&api.status(&resource, dead).await, code("lock_not_found", "token_not_found"), &json!(REASON));
        let renewal = json!({ "op": "extend", "resource": resource, "token": dead, "timeout": 30 });
        let release = json!({ "op": "release", "resource": resource, "token": dead });
        let batch = api.batch(&json!({ "operations": [renewal, release] }), &[]).await.json();
        for item in batch["results"].as_array().expect("items") {
            assert_eq!(item["body"]["reason"], REASON, "{batch}");
            assert!(item["body"]["brokenAt"].is_string(), "{batch}");
        }
    }
    // Whoever comes with another token is told nothing of it.
    for other in ["997f2fe4-d0cb-4d03-b066-beeea3b31eec", "nonsense"] {
        let refused = api.extend(&resource, other, 30).await;
        assert_eq!(fields(&refused.json()), "code errorMessage fence outcome owner resource ttlMs", "{refused:?}");
        let refused = api.status(&resource, other).await;
        assert_eq!(fields(&refused.json()), "code errorMessage outcome resource", "{refused:?}");
    }
}

#[tokio::test]
async fn a_holder_that_released_or_lost_its_lock_otherwise_is_told_of_no_earlier_break() {
    let (api, resource) = (Replica::shared().await, name("past-break-later"));
    api.granted(&resource, "first", 30).await;
    api.break_lock(&resource, &json!({}), &[]).await;
    let lock = api.granted(&resource, "second", 30).await;
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    let refused = api.extend(&resource, token(&lock), 30).await;
    assert_eq!(fields(&refused.json()), "code errorMessage outcome resource", "{refused:?}");
}

#[tokio::test]
async fn a_break_with_a_grace_is_told_before_and_after_its_end() {
    let (api, resource) = (Replica::shared().await, name("past-break-grace"));
    let lock = api.granted(&resource, "holder", 30).await;
    api.break_lock(&resource, &json!({ "grace": 20, "reason": "make room" }), &[]).await;
    tells(&api.extend(&resource, token(&lock), 60).await, "lock_breaking", &json!("make room"));
    assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
    // Somebody has no more patience, and says nothing.
    api.break_lock(&resource, &json!({}), &[]).await;
    tells(&api.extend(&resource, token(&lock), 60).await, "lock_not_found", &Value::Null);
}

#[tokio::test]
async fn one_of_several_holders_is_told_of_its_own_break() {
    let (api, resource) = (Replica::shared().await, name("past-break-shared"));
    let body = json!({ "owner": "reader", "timeout": 30, "mode": "shared" });
    let shares = async || api.acquire_with(&resource, &body, &[]).await.json();
    let locks = [shares().await, shares().await];
    let [dead, alive] = [token(&locks[0]), token(&locks[1])];
    api.break_lock(&resource, &json!({ "fence": locks[0]["fence"], "reason": REASON }), &[]).await;
    tells(&api.extend(&resource, dead, 30).await, "token_mismatch", &json!(REASON));
    tells(&api.release(&resource, dead).await, "token_not_found", &json!(REASON));
    tells(&api.status(&resource, dead).await, "token_not_found", &json!(REASON));
    assert_eq!(api.extend(&resource, alive, 30).await.status, 200);
    assert_eq!(api.release(&resource, dead).await.json()["reason"], REASON);
}
