//! Lists in an order.

use std::time::Duration;

use serde_json::{Value, json};

use super::{becomes, look};
use crate::{
    harness::{Api, Redis, Replica, eventually, name, token},
    queue::queued,
};

/// A walk over thousands of locks in small steps.
const WALKED: Duration = Duration::from_secs(180);

fn names(page: &Value) -> Vec<String> {
    let locks = page["locks"].as_array().expect("locks");
    locks.iter().map(|lock| lock["resource"].as_str().expect("a name").to_string()).collect()
}

/// All pages of a list whose walk has ended.
async fn all(api: &Api, query: &str) -> (Vec<String>, u64) {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = look(api, &format!("/api/v1/locks?{query}&cursor={cursor}")).await;
        all.extend(names(&page));
        let total = page["total"].as_u64().expect("a total");
        match page["cursor"].as_str() {
            Some(next) => cursor = next.into(),
            None => return (all, total),
        }
    }
}

async fn walked(api: &Api, query: &str) -> Value {
    let path = format!("/api/v1/locks?{query}");
    eventually("the walk ends", WALKED, || async { look(api, &path).await["progress"] == 1.0 }).await;
    look(api, &path).await
}

#[tokio::test]
async fn two_thousand_locks_are_counted_exactly_and_sorted() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let api = &replica.api;
    // The later a lock is taken, the sooner it ends, so that the two orders differ.
    for some in 0..4 {
        let item = |number: u32| {
            let owner = if number.is_multiple_of(100) { "rare" } else { "often" };
            json!({ "op": "acquire", "resource": format!("many-{number:04}"), "owner": owner, "timeout": 80_000 - number })
        };
        let items: Vec<_> = (some * 500..(some + 1) * 500).map(item).collect();
        let done = api.batch(&json!({ "operations": items }), &[]).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    let page = walked(api, "sort=name&limit=3").await;
    assert_eq!(
        (names(&page), &page["total"]),
        (["0", "1", "2"].map(|end| format!("many-000{end}")).to_vec(), &json!(2000))
    );
    assert_eq!((&page["cursor"], page["locks"][0]["held"].as_bool()), (&json!("s-3"), Some(true)), "{page}");
    let in_order: Vec<_> = (0..2000).map(|number| format!("many-{number:04}")).collect();
    let (seen, total) = all(api, "sort=name&limit=777").await;
    assert_eq!((seen, total), (in_order.clone(), 2000));
    let (mut seen, _) = all(api, "sort=left&limit=1000").await;
    assert_eq!(seen[0], "many-1999");
    seen.sort_unstable();
    assert_eq!(seen, in_order);
    let (seen, total) = all(api, "sort=name&owner=rare&limit=1000").await;
    assert_eq!((seen.len(), total, seen[1].as_str()), (20, 20, "many-0100"));
    let (seen, total) = all(api, "sort=left&prefix=many-000").await;
    assert_eq!((seen.first().map(String::as_str), total), (Some("many-0009"), 10));
    // Locks of one step are granted in no order, so only the step is certain.
    let (seen, _) = all(api, "sort=age&limit=1000").await;
    let steps: Vec<_> = seen.iter().map(|name| name[5..].parse::<u32>().expect("a number") / 500).collect();
    assert!(steps.is_sorted(), "{steps:?}");
}

#[tokio::test]
async fn those_with_the_most_waiters_come_first_and_a_lock_that_has_ended_is_not_shown() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (few, most, none) = (name("few"), name("most"), name("none"));
    for resource in [&few, &most] {
        replica.api.granted(resource, "holder", 120).await;
    }
    let ends = replica.api.granted(&none, "holder", 120).await;
    let mut waiters = Vec::new();
    for resource in [&most, &few, &most] {
        waiters.push(queued(&redis, &replica.api, resource, "me", 55.0, None).await);
    }
    let page = walked(&replica.api, "sort=waiting").await;
    assert_eq!(names(&page), [&most, &few, &none].map(String::clone));
    assert_eq!(
        (&page["locks"][0]["waiting"], &page["locks"][0]["renewals"], &page["cursor"]),
        (&json!(2), &json!(0), &Value::Null)
    );
    replica.api.release(&none, token(&ends)).await;
    assert_eq!(names(&look(&replica.api, "/api/v1/locks?sort=waiting").await), [&most, &few].map(String::clone));
    // After a while the count is that of now.
    becomes(&replica.api, "/api/v1/locks?sort=waiting", "it is counted again", |page| page["total"] == 2).await;
}

#[tokio::test]
async fn renewals_are_counted_with_each_extend() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let resource = name("renewed");
    let mut held = replica.api.granted(&resource, "me", 60).await;
    for expected in 0..3 {
        assert_eq!(replica.api.state(&resource).await["renewals"], expected);
        held = replica.api.extend(&resource, token(&held), 60).await.json();
    }
    replica.api.release(&resource, token(&held)).await;
    replica.api.granted(&resource, "next", 60).await;
    assert_eq!(replica.api.state(&resource).await["renewals"], 0);
}
