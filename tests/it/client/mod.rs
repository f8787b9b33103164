//! The Rust client: `gorilla-client`.

mod other_versions;
mod ranks;
mod sets;
mod shared;
mod together;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gorilla_client::{Client, Error, Lost, Progress};
use serde_json::json;

use crate::harness::{Api, Mode, Proxy, Replica, eventually, name};

fn client(url: impl Into<String>) -> Client {
    Client::new(url).expect("an address")
}

async fn shared() -> (Api, Client) {
    let api = Replica::shared().await;
    let client = client(format!("http://{}", api.address));
    (api, client)
}

const TTL: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn a_guard_renews_itself_until_it_is_released() {
    let ((api, client), resource) = (shared().await, name("guard"));
    let metadata = json!({ "a": 1 });
    let guard = client.lock(&resource).ttl(TTL).owner("me").metadata(metadata.clone()).acquire().await.expect("a lock");
    assert_eq!((guard.resource(), guard.owner()), (resource.as_str(), "me"));
    let first = guard.lease().borrow().clone();
    tokio::time::sleep(TTL * 2).await;
    let state = api.state(&resource).await;
    assert_eq!((&state["fence"], &state["id"]), (&guard.fence().into(), &guard.id().into()));
    assert_eq!(state["metadata"], json!([metadata]));
    let lease = guard.lease();
    assert_eq!(lease.borrow().token, first.token, "a renewal whose answer is lost must not cost the lock");
    assert!(lease.borrow().ends > first.ends);
    assert!(!guard.is_lost());
    // What the client promises is less than what the server keeps.
    let promised = lease.borrow().ends.left();
    let kept = api.state(&resource).await["ttlMs"].as_u64().expect("a time");
    assert!(promised <= Duration::from_millis(kept), "{promised:?} of {kept} ms");
    guard.release().await.expect("released");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn a_guard_that_is_dropped_releases_the_lock() {
    let ((api, client), resource) = (shared().await, name("dropped"));
    let guard = client.lock(&resource).acquire().await.expect("a lock");
    let lost = guard.lost();
    drop(guard);
    eventually("it is released", Duration::from_secs(5), || async { api.state(&resource).await["held"] == false })
        .await;
    let never = tokio::time::timeout(Duration::from_millis(200), lost).await;
    assert!(never.is_err(), "a lock that was given back is not lost: {never:?}");
}

#[tokio::test]
async fn an_acquire_that_is_dropped_leaves_the_queue() {
    let ((api, client), resource) = (shared().await, name("future"));
    let guard = client.lock(&resource).acquire().await.expect("a lock");
    let waiting = tokio::spawn(client.lock(&resource).wait(Duration::MAX).acquire());
    eventually("it waits", Duration::from_secs(5), || async { api.state(&resource).await["waiting"] == 1 }).await;
    waiting.abort();
    eventually("it has left", Duration::from_secs(5), || async { api.state(&resource).await["waiting"] == 0 }).await;
    guard.release().await.expect("released");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn not_acquired_tells_who_is_in_the_way_and_waiting_tells_how_it_goes() {
    let ((api, client), resource) = (shared().await, name("busy"));
    let lock = api.granted(&resource, "somebody", 60).await;
    let Err(Error::NotAcquired(busy)) = client.lock(&resource).acquire().await else { panic!("it was acquired") };
    let holder = busy.holder.expect("a holder");
    assert_eq!((holder.owner.as_str(), holder.fence), ("somebody", lock["fence"].as_u64().expect("a fence")));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let report = {
        let heard = Arc::clone(&heard);
        move |progress| heard.lock().expect("a list").push(progress)
    };
    let begun = Instant::now();
    let waited = client.lock(&resource).wait(Duration::from_millis(1600)).on_progress(report).acquire().await;
    let Err(Error::NotAcquired(busy)) = waited else { panic!("{waited:?}") };
    assert_eq!(busy.position, Some(1));
    assert!((1600..4000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert!(matches!(heard.lock().expect("a list")[..], [Progress::Waiting(_)]), "{heard:?}");
}

#[tokio::test]
async fn a_lock_that_is_broken_is_lost_with_the_next_renewal() {
    let ((api, client), resource) = (shared().await, name("broken"));
    let guard = client.lock(&resource).ttl(TTL).acquire().await.expect("a lock");
    api.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await;
    let lost = tokio::time::timeout(TTL / 3 + Duration::from_secs(1), guard.lost()).await.expect("in time");
    assert!(matches!(lost, Lost::Ended(_)), "{lost:?}");
    assert!(guard.is_lost());
    assert_eq!(guard.release().await, Err(Error::Lost(lost)));
}

#[tokio::test]
async fn a_lock_that_is_broken_with_a_grace_is_lost_when_only_the_grace_of_the_client_is_left() {
    let ((api, client), resource) = (shared().await, name("broken-grace"));
    let guard = client.lock(&resource).ttl(TTL).grace(TTL / 5).acquire().await.expect("a lock");
    // Longer than until the next renewal.
    let begun = Instant::now();
    let broken = client.break_with_grace(&resource, Some(guard.fence()), TTL * 9 / 10, "a test").await.expect("broken");
    assert!(broken.ttl_ms.is_some_and(|left| u128::from(left) <= TTL.as_millis()), "{broken:?}");
    let mut lease = guard.lease();
    let told = tokio::time::timeout(TTL, lease.wait_for(|lease| lease.is_breaking)).await.expect("in time");
    let ends = told.expect("a lease").ends;
    assert!(!guard.is_lost(), "the client has the lock until the end of the grace");
    let lost = tokio::time::timeout(TTL * 2, guard.lost()).await.expect("in time");
    assert_eq!(lost, Lost::Breaking);
    let (left, elapsed) = (ends.left(), begun.elapsed());
    assert!(left > TTL / 10 && left <= TTL / 5, "{left:?} before the end of the lease");
    assert!(elapsed + left <= TTL, "it believes in the lock for {:?}", elapsed + left);
    assert_eq!(guard.release().await, Err(Error::Lost(Lost::Breaking)));
    assert_eq!(api.state(&resource).await["held"], false, "the client gives back what is left of it");
}

#[tokio::test]
async fn a_guard_gives_a_lock_back_that_is_being_broken() {
    let ((api, client), resource) = (shared().await, name("broken-released"));
    let guard = client.lock(&resource).ttl(TTL).acquire().await.expect("a lock");
    client.break_with_grace(&resource, None, TTL, "a test").await.expect("broken");
    let mut lease = guard.lease();
    tokio::time::timeout(TTL, lease.wait_for(|lease| lease.is_breaking)).await.expect("in time").expect("a lease");
    guard.release().await.expect("released");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn without_the_server_a_lock_is_lost_before_its_lease_ends() {
    for mode in [Mode::SwallowRequests, Mode::SwallowReplies, Mode::Refuse] {
        let ((api, _), resource) = (shared().await, name("cut"));
        let link = Proxy::to_replica(&api).await;
        let client = client(link.http_url());
        let guard = client.lock(&resource).ttl(TTL).grace(TTL / 5).acquire().await.expect("a lock");
        tokio::time::sleep(TTL).await;
        match mode {
            Mode::Refuse => link.sever(),
            _ => link.set(mode),
        }
        let lost = tokio::time::timeout(TTL * 2, guard.lost()).await.expect("in time");
        assert!(matches!(lost, Lost::Unconfirmed(Some(_))), "{lost:?}");
        let left = guard.lease().borrow().ends.left();
        assert!(left > TTL / 10 && left <= TTL / 5, "{left:?} before the end of the lease");
        assert_eq!(api.state(&resource).await["fence"], guard.fence(), "{mode:?}: somebody could have it");
    }
}

#[tokio::test]
async fn lost_replies_are_asked_for_again_and_change_nothing() {
    let ((api, _), resource) = (shared().await, name("lost-reply"));
    let link = Proxy::to_replica(&api).await;
    let client = client(link.http_url());
    // The lock is taken, and nobody hears of it at first.
    link.set(Mode::SwallowReplies);
    let acquiring = tokio::spawn(client.lock(&resource).ttl(Duration::from_secs(9)).acquire());
    eventually("it is taken", Duration::from_secs(5), || async { api.state(&resource).await["held"] == true }).await;
    let taken = api.state(&resource).await;
    link.set(Mode::Pass);
    link.cut();
    let guard = acquiring.await.expect("no panic").expect("a lock");
    // A client that hangs up takes back what it was not told, unless its copy was answered first: either way one lock.
    let state = api.state(&resource).await;
    assert_eq!(state["fence"], guard.fence(), "{taken} {state}");
    link.set(Mode::SwallowReplies);
    let ends = guard.lease().borrow().ends;
    eventually("a renewal is executed", Duration::from_secs(8), || async {
        api.state(&resource).await["updatedAt"] != state["updatedAt"]
    })
    .await;
    link.set(Mode::Pass);
    link.cut();
    let mut lease = guard.lease();
    eventually("it is confirmed", Duration::from_secs(5), || {
        let renewed = lease.borrow_and_update().ends > ends;
        async move { renewed }
    })
    .await;
    guard.release().await.expect("released");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn unavailable_and_unknown_and_refused_are_told_apart() {
    let ((api, reaching), resource) = (shared().await, name("kinds"));
    let patience = Duration::from_millis(300);
    let nobody = Client::builder("http://127.0.0.1:1").patience(patience).build().expect("an address");
    let failed = nobody.lock(&resource).acquire().await.expect_err("there is no server");
    assert!(matches!(failed, Error::Unavailable(_)), "{failed:?}");
    let link = Proxy::to_replica(&api).await;
    link.set(Mode::SwallowReplies);
    let deaf = Client::builder(link.http_url()).patience(patience).build().expect("an address");
    let failed = deaf.lock(&resource).acquire().await.expect_err("nothing comes back");
    assert!(matches!(failed, Error::Unknown(_)), "{failed:?}");
    let failed = reaching.lock("a/b").acquire().await.expect_err("a bad name");
    assert!(matches!(&failed, Error::Refused { code, .. } if code.starts_with("invalid_")), "{failed:?}");
    let failed = reaching.lock(&resource).ttl(TTL).grace(TTL).acquire().await.expect_err("a bad grace");
    assert!(matches!(failed, Error::Refused { .. }), "{failed:?}");
    for url in ["", "127.0.0.1:4000", "redis://127.0.0.1", "http://h/?q"] {
        assert!(matches!(Client::new(url), Err(Error::Refused { .. })), "{url}");
    }
}
