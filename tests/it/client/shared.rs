//! Shared locks, semaphores and conversions by the Rust client.

use std::time::Duration;

use gorilla_client::{Error, Kind, Lost, Mode as Held};
use serde_json::json;

use super::{TTL, client, shared};
use crate::harness::{Mode, Proxy, eventually, name};

#[tokio::test]
async fn readers_share_a_lock_and_each_guard_knows_its_fence_and_the_floor_of_all() {
    let ((api, client), resource) = (shared().await, name("readers"));
    let reader = async || client.lock(&resource).shared().ttl(TTL).acquire().await.expect("a lock");
    let (first, second) = (reader().await, reader().await);
    assert_eq!((first.mode(), first.permits(), first.floor()), (Held::Shared, Some(1), first.fence()));
    assert!(second.fence() > first.fence() && second.floor() == first.floor(), "{first:?} {second:?}");
    // Each renews its own lease.
    tokio::time::sleep(TTL * 2).await;
    assert!(first.is_held() && second.is_held());
    let state = client.state(&resource).await.expect("a state");
    let group = state.group.expect("a group");
    assert_eq!((group.holder_count, group.used, group.limit), (2, 2, None));
    let busy = match client.lock(&resource).acquire().await {
        Err(Error::NotAcquired(busy)) => busy,
        other => panic!("{other:?}"),
    };
    let sharing = busy.sharing.expect("several have it");
    assert_eq!((sharing.used, sharing.limit, sharing.holder_count), (2, None, 2));
    assert!(busy.to_string().contains("shared by 2 clients"), "{busy}");
    first.release().await.expect("released");
    second.release().await.expect("released");
    assert_eq!(api.state(&resource).await["held"], false);
    let writer = client.lock(&resource).acquire().await.expect("a lock");
    assert_eq!((writer.mode(), writer.permits(), writer.floor()), (Held::Exclusive, None, writer.fence()));
    writer.release().await.expect("released");
}

#[tokio::test]
async fn a_semaphore_tells_what_is_taken_and_refuses_another_limit() {
    let ((_, client), resource) = (shared().await, name("semaphore"));
    let two = client.lock(&resource).limit(3).permits(2).acquire().await.expect("a lock");
    assert_eq!(two.permits(), Some(2));
    let busy = match client.lock(&resource).limit(3).permits(2).acquire().await {
        Err(Error::NotAcquired(busy)) => busy,
        other => panic!("{other:?}"),
    };
    assert!(busy.to_string().starts_with("2 of 3 permits are taken by 1 client"), "{busy}");
    let refused = client.lock(&resource).limit(4).acquire().await.expect_err("another limit");
    assert!(matches!(&refused, Error::Refused { code, .. } if code == "limit_mismatch"), "{refused:?}");
    let refused = client.lock(&resource).permits(2).acquire().await.expect_err("permits of what?");
    assert!(matches!(&refused, Error::Refused { code, .. } if code == "invalid_request"), "{refused:?}");
    let one = client.lock(&resource).limit(3).acquire().await.expect("a lock");
    // A waiter is in the queue.
    let waiting = tokio::spawn(client.lock(&resource).limit(3).owner("third").wait(Duration::MAX).acquire());
    eventually("it waits", Duration::from_secs(10), || async {
        let line = client.queue(&resource).await.expect("a queue");
        line.queue.iter().any(|waiter| (waiter.owner.as_str(), waiter.permits) == ("third", Some(1)))
    })
    .await;
    two.release().await.expect("released");
    let third = waiting.await.expect("no panic").expect("a lock");
    third.release().await.expect("released");
    one.release().await.expect("released");
}

#[tokio::test]
async fn a_limit_is_pinned_told_and_unpinned() {
    let ((_, client), resource) = (shared().await, name("pinned"));
    let limit = client.limit(&resource).await.expect("a limit");
    assert_eq!((limit.limit, limit.pinned), (None, false));
    let limit = client.pin_limit(&resource, 2).await.expect("pinned");
    assert_eq!((limit.limit, limit.pinned), (Some(2), true));
    let one = client.lock(&resource).shared().acquire().await.expect("a lock");
    let two = client.lock(&resource).limit(2).acquire().await.expect("a lock");
    let full = client.lock(&resource).shared().acquire().await;
    assert!(matches!(full, Err(Error::NotAcquired(_))), "{full:?}");
    client.pin_limit(&resource, 3).await.expect("pinned");
    let three = client.lock(&resource).shared().acquire().await.expect("a lock");
    for guard in [one, two, three] {
        guard.release().await.expect("released");
    }
    assert_eq!(client.limit(&resource).await.expect("a limit").limit, Some(3));
    let limit = client.unpin_limit(&resource).await.expect("unpinned");
    assert_eq!((limit.limit, limit.pinned), (None, false));
}

#[tokio::test]
async fn a_break_ends_the_holder_with_the_fence_and_no_other() {
    let ((_, client), resource) = (shared().await, name("break-one"));
    let reader = async || client.lock(&resource).shared().ttl(TTL).acquire().await.expect("a lock");
    let (broken, other) = (reader().await, reader().await);
    let refused = client.break_lock(&resource, None, "a test").await.expect_err("whom?");
    assert!(matches!(&refused, Error::Refused { code, .. } if code == "fence_required"), "{refused:?}");
    client.break_lock(&resource, Some(broken.fence()), "a test").await.expect("broken");
    let lost = tokio::time::timeout(TTL + Duration::from_secs(1), broken.lost()).await.expect("in time");
    assert!(matches!(lost, Lost::Ended(_)), "{lost:?}");
    assert!(other.is_held() && broken.is_lost());
    other.release().await.expect("released");
}

#[tokio::test]
async fn a_conversion_gives_another_fence_and_the_guard_goes_on_renewing() {
    let ((api, client), resource) = (shared().await, name("convert"));
    let mut guard = client.lock(&resource).ttl(TTL).acquire().await.expect("a lock");
    let (id, fence, token) = (guard.id(), guard.fence(), guard.lease().borrow().token.clone());
    // A writer that waits stays behind.
    let writer = tokio::spawn(client.lock(&resource).wait(Duration::MAX).acquire());
    eventually("it waits", Duration::from_secs(10), || async { api.state(&resource).await["waiting"] == 1 }).await;
    guard.convert(Kind::shared()).await.expect("shared");
    assert!(guard.mode() == Held::Shared && guard.fence() > fence && guard.id() != id, "{guard:?}");
    assert_eq!((guard.floor(), guard.permits()), (guard.fence(), Some(1)));
    assert!(guard.lease().borrow().token != token);
    tokio::time::sleep(TTL * 2).await;
    assert!(guard.is_held(), "it renews what it has now");
    let shared = guard.fence();
    guard.convert(Kind::Exclusive).await.expect("nobody shares it");
    assert!(guard.mode() == Held::Exclusive && guard.fence() > shared, "{guard:?}");
    tokio::time::sleep(TTL * 2).await;
    assert!(guard.is_held() && !writer.is_finished());
    assert_eq!(api.state(&resource).await["fence"], guard.fence());
    guard.release().await.expect("released");
    writer.await.expect("no panic").expect("a lock").release().await.expect("released");
}

#[tokio::test]
async fn a_conversion_that_is_refused_changes_nothing_and_a_lost_lock_is_not_converted() {
    let ((api, client), resource) = (shared().await, name("refused"));
    let mut one = client.lock(&resource).shared().ttl(TTL).acquire().await.expect("a lock");
    let two = client.lock(&resource).shared().ttl(TTL).acquire().await.expect("a lock");
    let fence = one.fence();
    let Err(Error::NotAcquired(busy)) = one.convert(Kind::Exclusive).await else { panic!("{one:?}") };
    assert_eq!(busy.sharing.expect("others").holder_count, 2);
    assert_eq!((one.mode(), one.fence(), one.is_held()), (Held::Shared, fence, true));
    tokio::time::sleep(TTL).await;
    assert!(one.is_held(), "it renews itself");
    api.break_lock(&resource, &json!({ "fence": fence, "reason": "a test" }), &[]).await;
    let lost = one.convert(Kind::Exclusive).await;
    assert!(matches!(lost, Err(Error::Lost(Lost::Ended(_)))), "{lost:?}");
    assert!(one.is_lost());
    let lost = one.convert(Kind::Exclusive).await;
    assert!(matches!(lost, Err(Error::Lost(Lost::Ended(_)))), "{lost:?}");
    two.release().await.expect("released");
}

#[tokio::test]
async fn the_guard_follows_a_conversion_whose_answer_was_lost_also_if_nobody_awaits_it() {
    let ((api, direct), resource) = (shared().await, name("lost-conversion"));
    let link = Proxy::to_replica(&api).await;
    let client = client(link.http_url());
    let mut guard = client.lock(&resource).ttl(Duration::from_secs(20)).acquire().await.expect("a lock");
    let fence = guard.fence();
    link.set(Mode::SwallowReplies);
    let given_up = tokio::time::timeout(Duration::from_millis(200), guard.convert(Kind::shared())).await;
    assert!(given_up.is_err(), "{given_up:?}");
    eventually("it is converted", Duration::from_secs(5), || async {
        direct.state(&resource).await.expect("a state").group.is_some()
    })
    .await;
    assert_eq!(guard.fence(), fence);
    link.set(Mode::Pass);
    link.cut();
    eventually("the guard knows", Duration::from_secs(10), || async { guard.fence() > fence }).await;
    let tenure = direct.state(&resource).await.expect("a state").tenure.expect("it is held");
    assert_eq!((tenure.fence, guard.mode()), (guard.fence(), Held::Shared));
    guard.release().await.expect("released");
}

#[tokio::test]
async fn a_guard_knows_by_the_clock_that_it_is_lost_before_anything_else_has_run() {
    let ((_, client), resource) = (shared().await, name("stopped"));
    let ttl = Duration::from_millis(600);
    let guard = client.lock(&resource).ttl(ttl).acquire().await.expect("a lock");
    assert!(guard.is_held());
    // As a process that is suspended: the only thread of the runtime stands still, and no task of the guard runs.
    std::thread::sleep(ttl);
    assert!(guard.is_lost() && !guard.is_held());
    drop(guard);
}
