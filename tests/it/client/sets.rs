//! Several locks at once by the Rust client.

use std::time::Duration;

use gorilla_client::{Error, Guard, Kind, Lost, Mode as Held, Part};
use serde_json::json;

use super::{TTL, client, shared};
use crate::harness::{Mode, Proxy, eventually, name};

#[tokio::test]
async fn a_set_is_taken_whole_renewed_and_released() {
    let ((api, client), [b, a]) = (shared().await, [name("b"), name("a")]);
    let parts = [Part::new(&b), Part::new(&a).kind(Kind::limited(3).with_permits(2))];
    let set = client.locks(parts).ttl(TTL).owner("me").metadata(json!({ "a": 1 })).acquire().await.expect("locks");
    // In the order of the request.
    assert_eq!(set.guards().iter().map(Guard::resource).collect::<Vec<_>>(), [&b, &a]);
    let (first, second) = (set.get(&b).expect("a guard"), set.get(&a).expect("a guard"));
    assert_eq!((first.mode(), second.mode(), second.permits()), (Held::Exclusive, Held::Shared, Some(2)));
    tokio::time::sleep(TTL * 2).await;
    assert!(set.is_held());
    for guard in set.guards() {
        let tenure = client.state(guard.resource()).await.expect("a state").tenure.expect("it is held");
        assert_eq!((tenure.fence, tenure.owner.as_str(), tenure.metadata), (guard.fence(), "me", json!([{ "a": 1 }])));
        assert!(guard.lease().borrow().ends.left() <= Duration::from_millis(tenure.ttl_ms));
    }
    set.release().await.expect("released");
    for resource in [a, b] {
        assert_eq!(api.state(&resource).await["held"], false);
    }
}

#[tokio::test]
async fn a_set_that_is_refused_holds_nothing_and_says_which_lock_is_in_the_way() {
    let ((api, client), [a, b]) = (shared().await, [name("a"), name("b")]);
    api.granted(&b, "somebody", 60).await;
    let Err(Error::NotAcquired(busy)) = client.locks([&a, &b]).acquire().await else { panic!("it was acquired") };
    assert_eq!((busy.resource.as_deref(), busy.holder.expect("a holder").owner.as_str()), (Some(&*b), "somebody"));
    assert_eq!(api.state(&a).await["held"], false);
    let refused = client.locks([&a, &a]).acquire().await.expect_err("the same twice");
    assert!(matches!(&refused, Error::Refused { code, .. } if code == "invalid_request"), "{refused:?}");
}

#[tokio::test]
async fn a_set_waits_and_its_leases_count_from_the_grant() {
    let ((api, client), [a, b]) = (shared().await, [name("a"), name("b")]);
    let held = client.lock(&b).acquire().await.expect("a lock");
    let waiting = tokio::spawn(client.locks([&a, &b]).ttl(Duration::from_secs(3)).wait(Duration::MAX).acquire());
    eventually("it waits", Duration::from_secs(10), || async { api.state(&b).await["waiting"] == 1 }).await;
    // Longer than the lease, and longer than its first piece.
    tokio::time::sleep(Duration::from_secs(4)).await;
    held.release().await.expect("released");
    let set = waiting.await.expect("no panic").expect("locks");
    let left = set.guards()[0].lease().borrow().ends.left();
    assert!(set.is_held() && left > Duration::from_secs(1), "{left:?}");
    assert!(set.guards().iter().all(|guard| guard.lease().borrow().ends.left() <= Duration::from_secs(3)));
    set.release().await.expect("released");
}

#[tokio::test]
async fn a_set_is_lost_when_one_of_its_locks_is_and_the_others_are_given_back_all_the_same() {
    let ((api, client), [a, b, c]) = (shared().await, [name("a"), name("b"), name("c")]);
    let set = client.locks([&a, &b, &c]).ttl(TTL).acquire().await.expect("locks");
    api.break_lock(&b, &json!({ "reason": "a test" }), &[]).await;
    let lost = tokio::time::timeout(TTL, set.lost()).await.expect("in time");
    assert!(matches!(lost, Lost::Ended(_)), "{lost:?}");
    assert!(set.is_lost() && set.get(&a).expect("a guard").is_held());
    let released = set.release().await;
    assert!(matches!(released, Err(Error::Lost(Lost::Ended(_)))), "{released:?}");
    for resource in [a, b, c] {
        assert_eq!(api.state(&resource).await["held"], false, "{resource}");
    }
}

#[tokio::test]
async fn a_set_that_is_dropped_or_whose_release_is_dropped_is_given_back() {
    for releases in [false, true] {
        let ((api, client), [a, b]) = (shared().await, [name("a"), name("b")]);
        let set = client.locks([&a, &b]).acquire().await.expect("locks");
        match releases {
            false => drop(set),
            true => drop(tokio::time::timeout(Duration::ZERO, set.release()).await),
        }
        for resource in [a, b] {
            let free = || async { api.state(&resource).await["held"] == false };
            eventually("it is released", Duration::from_secs(5), free).await;
        }
    }
}

#[tokio::test]
async fn a_release_whose_answer_is_lost_is_sent_again() {
    let ((api, _), [a, b]) = (shared().await, [name("a"), name("b")]);
    let link = Proxy::to_replica(&api).await;
    let client = client(link.http_url());
    let set = client.locks([&a, &b]).acquire().await.expect("locks");
    link.set(Mode::SwallowReplies);
    let releasing = tokio::spawn(set.release());
    eventually("it is released", Duration::from_secs(5), || async { api.state(&a).await["held"] == false }).await;
    link.set(Mode::Pass);
    link.cut();
    releasing.await.expect("no panic").expect("the copy is answered as the first would have been");
    assert_eq!(api.state(&b).await["held"], false);
}
