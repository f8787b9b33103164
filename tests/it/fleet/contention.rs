//! Which locks are waited for, and who waits for whom.

use serde_json::{Value, json};

use super::{becomes, look};
use crate::{
    harness::{Redis, Replica, name, token},
    queue::queued,
};

const CONTENTION: &str = "/api/v1/contention";

fn named<'a>(told: &'a Value, resource: &str) -> &'a Value {
    let all = told["resources"].as_array().expect("resources");
    all.iter().find(|row| row["resource"] == resource).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_chain_over_two_replicas_is_a_tree_with_the_one_who_blocks_all_at_its_root() {
    let redis = Redis::start(&[]);
    let [one, other] = [Replica::on(&redis).await, Replica::on(&redis).await];
    let (web, db) = (name("web"), name("db"));
    one.api.granted(&web, "ci/4711", 120).await;
    one.api.granted(&db, "ci/4712", 120).await;
    let _first = queued(&redis, &one.api, &web, "ci/4712", 55.0, None).await;
    let _second = queued(&redis, &other.api, &web, "ci/4713", 55.0, None).await;
    let _below = queued(&redis, &other.api, &db, "job-7", 55.0, None).await;
    let told = becomes(&other.api, CONTENTION, "both locks are told", |told| {
        !named(told, &web).is_null() && !named(told, &db).is_null()
    })
    .await;
    let tree = &told["blocking"][0];
    assert_eq!(
        (&tree["owner"], &tree["holds"], &tree["blocks"]),
        (&json!("ci/4711"), &json!([web]), &json!(3)),
        "{told}"
    );
    let first = &tree["waiters"][0];
    assert_eq!((&first["owner"], &first["resource"], &first["holds"]), (&json!("ci/4712"), &json!(web), &json!([db])));
    assert_eq!((&first["waiters"][0]["owner"], &first["waiters"][0]["resource"]), (&json!("job-7"), &json!(db)));
    assert_eq!((&tree["waiters"][1]["owner"], &tree["waiters"][1]["position"]), (&json!("ci/4713"), &json!(2)));
    assert_eq!(
        (&told["cycles"], &told["complete"], told["blocking"].as_array().map(Vec::len)),
        (&json!([]), &json!(true), Some(1))
    );
    let row = named(&told, &web);
    assert_eq!(
        (&row["owner"], &row["waiting"], &row["holderCount"], &row["waits"]),
        (&json!("ci/4711"), &json!(2), &json!(1), &json!(0))
    );
    assert!(row["oldestWaitMs"].as_u64() > Some(0) && row["longestQueue"].as_u64() >= Some(1), "{row}");
    assert!(told.get("scope").is_none(), "{told}");
}

#[tokio::test]
async fn two_who_wait_for_each_other_are_a_possible_cycle() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (x, y) = (name("x"), name("y"));
    replica.api.granted(&x, "b", 600).await;
    let ends_first = replica.api.granted(&y, "a", 120).await;
    let _one = queued(&redis, &replica.api, &x, "a", 55.0, None).await;
    let _other = queued(&redis, &replica.api, &y, "b", 55.0, None).await;
    let told = becomes(&replica.api, CONTENTION, "it is told", |told| told["cycles"] != json!([])).await;
    let cycle = &told["cycles"][0];
    let wait = |at: usize| {
        let wait = &cycle["waits"][at];
        (wait["owner"].clone(), wait["resource"].clone(), wait["holder"].clone())
    };
    assert_eq!(wait(0), (json!("a"), json!(x), json!("b")), "{told}");
    assert_eq!(wait(1), (json!("b"), json!(y), json!("a")), "{told}");
    assert_eq!(
        (&cycle["resolvesAt"], &cycle["unless"], &cycle["resource"]),
        (&ends_first["expireAt"], &json!("a"), &json!(y))
    );
    assert_eq!(told["blocking"], json!([]), "nobody is the root");
}

#[tokio::test]
async fn waits_that_have_ended_stay_in_the_figures() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (resource, quiet) = (name("handed-over"), name("quiet"));
    let mut held = replica.api.granted(&resource, "0", 120).await;
    for next in 1..=3 {
        let waiter = queued(&redis, &replica.api, &resource, &next.to_string(), 55.0, None).await;
        replica.api.release(&resource, token(&held)).await;
        held = waiter.await.expect("an answer").json();
    }
    let vain = json!({ "owner": "vain", "timeout": 5, "wait": 0.1 });
    assert_eq!(replica.api.acquire_with(&resource, &vain, &[]).await.code(), "wait_timeout");
    let alone = replica.api.granted(&quiet, "me", 60).await;
    replica.api.release(&quiet, token(&alone)).await;
    let told =
        becomes(&replica.api, CONTENTION, "all waits are told", |told| named(told, &resource)["waits"] == 4).await;
    let row = named(&told, &resource);
    assert_eq!((&row["waiting"], &row["owner"]), (&json!(0), &json!("3")), "{row}");
    assert!(row["waitedMs"].as_u64() >= Some(100) && row["waitP99Ms"].as_f64() >= Some(90.0), "{row}");
    // Three in 15 minutes.
    assert_eq!(row["handoversPerMinute"], 0.2, "{row}");
    assert!(row["holdP50Ms"].is_number(), "{row}");
    assert!(named(&told, &quiet).is_null(), "nobody has waited for it: {told}");
}

#[tokio::test]
async fn the_holders_of_a_group_block_together() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let resource = name("group");
    for owner in ["r1", "r2"] {
        let shared = json!({ "owner": owner, "timeout": 120, "mode": "shared" });
        assert_eq!(replica.api.acquire_with(&resource, &shared, &[]).await.status, 200);
    }
    let _waiter = queued(&redis, &replica.api, &resource, "writer", 55.0, None).await;
    let told = becomes(&replica.api, CONTENTION, "it is told", |told| !named(told, &resource).is_null()).await;
    assert_eq!(named(&told, &resource)["holderCount"], 2, "{told}");
    let roots: Vec<_> = told["blocking"].as_array().expect("trees").iter().map(|tree| tree["owner"].clone()).collect();
    assert_eq!(roots, ["r1", "r2"]);
    assert_eq!(look(&replica.api, "/api/v1/contention?range=1m").await["rangeSeconds"], 60);
}
