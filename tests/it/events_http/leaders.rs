//! Who leads: `leader` and `vacant`.

use serde_json::json;

use super::Stream;
use crate::harness::{Replica, name, token};

#[tokio::test]
async fn an_observer_is_told_who_leads_now_and_from_then_on() {
    let (api, resource) = (Replica::shared().await, name("election"));
    let mut only = Stream::listen(&api, &format!("?resource={resource}&snapshot=1&types=leader,vacant")).await;
    assert_eq!(only.expect("vacant").await.data["resource"], json!(resource));
    only.expect("synced").await;
    let first = api.granted(&resource, "one", 30).await;
    let leader = only.expect("leader").await;
    assert_eq!((&leader.data["fence"], &leader.data["owner"]), (&first["fence"], &json!("one")));
    assert_eq!((&leader.data["ttlMs"], &leader.data["metadata"]), (&json!(30_000), &json!([])));
    assert_eq!(leader.id.as_deref(), leader.data["cursor"].as_str(), "a client can resume behind it");

    let mut late = Stream::listen(&api, &format!("?resource={resource}&snapshot=1")).await;
    assert_eq!(late.expect("state").await.data["fence"], first["fence"]);
    let told = late.expect("leader").await.data;
    assert!(told["fence"] == first["fence"] && told["ttlMs"].as_u64() <= Some(30_000), "{told}");
    late.expect("synced").await;

    let extended = api.extend(&resource, token(&first), 60).await.json();
    let again = only.expect("leader").await.data;
    assert_eq!((&again["expireAt"], &again["fence"]), (&extended["expireAt"], &first["fence"]));
    assert!(again.get("metadata").is_none(), "{again}");
    api.release(&resource, token(&extended)).await;
    let vacant = only.expect("vacant").await.data;
    assert!(vacant.get("fence").is_none() && vacant.get("owner").is_none(), "{vacant}");
    let second = api.granted(&resource, "two", 30).await;
    assert_eq!(only.expect("leader").await.data["fence"], second["fence"]);

    // Beside the others, each before the event that it follows from, which has the id of both.
    for (event, fence) in [
        ("leader", &first["fence"]),
        ("extended", &first["fence"]),
        ("vacant", &serde_json::Value::Null),
        ("released", &first["fence"]),
        ("leader", &second["fence"]),
        ("granted", &second["fence"]),
    ] {
        let message = late.expect(event).await;
        assert_eq!(&message.data["fence"], fence, "{message:?}");
        assert_eq!(message.id.is_some(), !["leader", "vacant"].contains(&event), "{message:?}");
    }
}

#[tokio::test]
async fn who_shares_a_lock_does_not_lead() {
    let (api, resource) = (Replica::shared().await, name("readers"));
    let mut stream = Stream::listen(&api, &format!("?resource={resource}&types=leader,vacant")).await;
    stream.expect("vacant").await;
    let shared = json!({ "owner": "reader", "timeout": 30, "mode": "shared" });
    let reader = api.acquire_with(&resource, &shared, &[]).await.json();
    api.release(&resource, token(&reader)).await;
    let lock = api.granted(&resource, "writer", 30).await;
    assert_eq!(stream.expect("leader").await.data["fence"], lock["fence"], "nothing came before");
}
