//! Elections by the Rust client: it leads, and it observes.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gorilla_client::{Client, Error, Leader, Leading, Lost};
use serde_json::json;
use tokio::sync::{mpsc, watch::Receiver};

use super::{elected, leader, resign};
use crate::harness::{Mode, Proxy, Redis, Replica, Signal, eventually, name, token};

const TTL: Duration = Duration::from_millis(1500);
/// For what must come, on a slow machine too.
const SOON: Duration = Duration::from_secs(20);

fn client(url: impl Into<String>) -> Client {
    Client::new(url).expect("an address")
}

/// Notes when it is made and when it is dropped.
struct Body(Arc<Mutex<Vec<(&'static str, Instant)>>>);

impl Body {
    fn begin(notes: &Arc<Mutex<Vec<(&'static str, Instant)>>>) -> Self {
        notes.lock().expect("notes").push(("begun", Instant::now()));
        Self(Arc::clone(notes))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.lock().expect("notes").push(("ended", Instant::now()));
    }
}

/// Waits until an observer shows what is wanted.
async fn shown(
    observer: &mut Receiver<Option<Leader>>,
    is_wanted: impl FnMut(&Option<Leader>) -> bool,
) -> Option<Leader> {
    let shown = tokio::time::timeout(SOON, observer.wait_for(is_wanted)).await;
    shown.expect("in time").expect("the observer goes on").clone()
}

#[tokio::test]
async fn candidates_on_two_replicas_lead_one_after_another_with_rising_terms() {
    let redis = Redis::shared();
    let replicas = [Replica::on(redis).await, Replica::on(redis).await];
    let election = name("candidates");
    let (tell, mut told) = mpsc::unbounded_channel();
    let led = Arc::new(Mutex::new(Vec::new()));
    let leaders: Vec<_> = (0..6)
        .map(|candidate| {
            let client = client(format!("http://{}", replicas[candidate % 2].api.address));
            let (tell, led) = (tell.clone(), Arc::clone(&led));
            let campaign = client.elect(&election).owner(format!("candidate {candidate}")).ttl(TTL);
            tokio::spawn(campaign.run(move |leading: Leading| {
                let (tell, led, notes) = (tell.clone(), Arc::clone(&led), Arc::clone(&led));
                async move {
                    assert!(leading.is_leading());
                    led.lock().expect("a list").push(leading.term());
                    tell.send(leading.clone()).expect("a test");
                    tokio::time::sleep(TTL / 2).await;
                    // Nobody else has begun meanwhile.
                    assert_eq!(notes.lock().expect("a list").last(), Some(&leading.term()));
                    leading
                }
            }))
        })
        .collect();
    for leader in leaders {
        let leading = leader.await.expect("no panic").expect("elected");
        assert!(!leading.is_leading(), "it has resigned");
        let proclaimed = leading.proclaim(json!(1)).await;
        assert!(matches!(proclaimed, Err(Error::Lost(_))), "{proclaimed:?}");
    }
    let terms = led.lock().expect("a list").clone();
    assert!(terms.len() == 6 && terms.is_sorted_by(|one, next| one < next), "{terms:?}");
    assert_eq!(told.recv().await.expect("a leader").term(), terms[0]);
    assert_eq!(leader(&replicas[0].api, &election, "").await["candidates"], 0);
}

#[tokio::test]
async fn a_leader_that_is_broken_ends_its_body_and_campaigns_again() {
    let replica = Replica::on(Redis::shared()).await;
    let (api, client) = (&replica.api, client(format!("http://{}", replica.api.address)));
    let election = name("broken");
    let notes = Arc::default();
    let (tell, mut told) = mpsc::unbounded_channel();
    let run = {
        let notes = Arc::clone(&notes);
        client.elect(&election).owner("me").ttl(TTL).run(move |leading: Leading| {
            let (tell, body) = (tell.clone(), Body::begin(&notes));
            async move {
                tell.send(leading.clone()).expect("a test");
                let _body = body;
                pending::<()>().await;
            }
        })
    };
    let run = tokio::spawn(run);
    let first = told.recv().await.expect("a leader");
    assert_eq!(api.break_lock(&election, &json!({ "reason": "a test" }), &[]).await.status, 200);
    let lost = tokio::time::timeout(SOON, first.lost()).await.expect("in time");
    assert!(matches!(lost, Lost::Ended(_)), "{lost:?}");
    let second = told.recv().await.expect("a leader again");
    assert!(second.term() > first.term() && !first.is_leading() && second.is_leading());
    let kinds = |notes: &Arc<Mutex<Vec<(&'static str, Instant)>>>| -> Vec<_> {
        notes.lock().expect("notes").iter().map(|(what, _)| *what).collect()
    };
    assert_eq!(kinds(&notes), ["begun", "ended", "begun"]);
    // Ending `run` ends the body and resigns.
    run.abort();
    eventually("it has resigned", SOON, || async { leader(api, &election, "").await["leader"].is_null() }).await;
    assert_eq!(kinds(&notes), ["begun", "ended", "begun", "ended"]);
    assert!(!second.is_leading());
}

/// Case 20 of the design of the clients.
#[tokio::test]
async fn a_body_that_ignores_the_loss_has_the_grace_and_no_campaign_begins_before_it_has_ended() {
    let replica = Replica::on(Redis::shared()).await;
    let (api, client) = (&replica.api, client(format!("http://{}", replica.api.address)));
    let election = name("stubborn");
    let notes: Arc<Mutex<Vec<(&'static str, Instant)>>> = Arc::default();
    let (tell, mut told) = mpsc::unbounded_channel();
    let ttl = Duration::from_secs(12);
    let run = {
        let notes = Arc::clone(&notes);
        client.elect(&election).owner("me").ttl(ttl).grace(ttl / 6).run(move |leading: Leading| {
            let (tell, body) = (tell.clone(), Body::begin(&notes));
            async move {
                tell.send(leading.clone()).expect("a test");
                let _body = body;
                pending::<()>().await;
            }
        })
    };
    let run = tokio::spawn(run);
    let first = told.recv().await.expect("a leader");
    let grace = Duration::from_secs(5);
    let begun = Instant::now();
    client.break_with_grace(&election, Some(first.term()), grace, "a test").await.expect("broken");
    let lost = tokio::time::timeout(SOON, first.lost()).await.expect("in time");
    assert_eq!(lost, Lost::Breaking);
    assert!(!first.is_leading());
    // It still holds the lock, and nobody is a candidate.
    while notes.lock().expect("notes").len() == 1 {
        let seen = leader(api, &election, "").await;
        assert_eq!(seen["candidates"], 0, "{seen}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = notes.lock().expect("notes")[1].1;
    // Without the break its lease would have had eight seconds at the least.
    assert!(ended - begun < grace * 3 / 2, "the body went on for {:?}", ended - begun);
    let second = told.recv().await.expect("a leader again");
    assert!(second.term() > first.term());
    let all = notes.lock().expect("notes").clone();
    assert_eq!(all.iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["begun", "ended", "begun"]);
    assert!(all[1].1 <= all[2].1);
    run.abort();
    eventually("it has resigned", SOON, || async { leader(api, &election, "").await["leader"].is_null() }).await;
    // A campaign that is not won begins nothing.
    let held = elected(api, &election, "another", 60.0).await;
    let lost = client.elect(&election).wait(Duration::from_millis(300)).run(|_| async { panic!("it leads") }).await;
    assert!(matches!(lost, Err(Error::NotAcquired(_))), "{lost:?}");
    assert_eq!(resign(api, &election, token(&held)).await.status, 204);
}

#[tokio::test]
async fn a_campaign_outlasts_an_outage_and_one_that_never_reached_a_server_does_not() {
    let replica = Replica::on(Redis::shared()).await;
    let link = Proxy::to_replica(&replica.api).await;
    let election = name("outage");
    let patience = Duration::from_millis(300);
    let client = Client::builder(link.http_url()).patience(patience).build().expect("an address");
    let (tell, mut told) = mpsc::unbounded_channel();
    let run = tokio::spawn(client.elect(&election).ttl(TTL).run(move |leading: Leading| {
        let tell = tell.clone();
        async move {
            tell.send(leading.clone()).expect("a test");
            pending::<()>().await;
        }
    }));
    let first = told.recv().await.expect("a leader");
    link.sever();
    let lost = tokio::time::timeout(SOON, first.lost()).await.expect("in time");
    assert!(matches!(lost, Lost::Unconfirmed(_)), "{lost:?}");
    tokio::time::sleep(TTL).await;
    assert!(!run.is_finished());
    link.set(Mode::Pass);
    let second = tokio::time::timeout(SOON, told.recv()).await.expect("in time").expect("a leader");
    assert!(second.term() > first.term());
    run.abort();
    let nobody = Client::builder("http://127.0.0.1:1").patience(patience).build().expect("an address");
    let failed = nobody.elect(&election).run(|_| async {}).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
}

#[tokio::test]
async fn an_observer_sees_leaders_proclamations_and_vacancies_through_another_replica() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let election = name("observed");
    let leads = client(format!("http://{}", one.api.address));
    let mut observer = client(format!("http://{}", two.api.address)).observe(&election);
    assert_eq!(*observer.borrow(), None);
    let mut last = 0;
    for round in 0..2 {
        let mut campaign = leads.elect(&election).owner("me").metadata(json!({ "round": round })).ttl(TTL);
        let guard = campaign.win().await.expect("elected");
        let seen = shown(&mut observer, Option::is_some).await.expect("a leader");
        assert_eq!((seen.term, seen.owner.as_str()), (guard.fence(), "me"));
        assert_eq!(seen.metadata, json!([{ "round": round }]));
        assert!(seen.term > last, "terms rise");
        last = seen.term;
        guard.set_metadata(json!("later")).await.expect("proclaimed");
        let seen =
            shown(&mut observer, |seen| seen.as_ref().is_none_or(|seen| seen.metadata == json!(["later"]))).await;
        assert_eq!(seen.expect("it leads on").term, last);
        // It is shown for longer than its first lease, because it renews.
        let begun = Instant::now();
        while begun.elapsed() < TTL * 2 {
            assert!(observer.borrow().is_some(), "the leader leads");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        guard.release().await.expect("resigned");
        shown(&mut observer, Option::is_none).await;
    }
}

#[tokio::test]
async fn an_observer_shows_no_leader_past_its_lease_while_the_server_is_stopped() {
    let redis = Redis::shared();
    let (stopped, other) = (Replica::on(redis).await, Replica::on(redis).await);
    let election = name("stopped");
    let mut observer = client(format!("http://{}", stopped.api.address)).observe(&election);
    let lease = Duration::from_secs(4);
    let sent = Instant::now();
    let leads = elected(&other.api, &election, "one", lease.as_secs_f64()).await;
    let granted = Instant::now();
    let seen = shown(&mut observer, Option::is_some).await.expect("a leader");
    assert_eq!(leads["term"], seen.term);
    stopped.process.signal(Signal::STOP);
    shown(&mut observer, Option::is_none).await;
    let gone = Instant::now();
    assert!(gone - sent >= lease / 2, "it was shown for {:?} only", gone - sent);
    // As long as this machine gives the test the time to look.
    assert!(gone <= granted + lease + Duration::from_secs(1), "it was shown for {:?}", gone - granted);
    assert!(seen.ends.left() < lease);
    eventually("the lease is over", SOON, || async { leader(&other.api, &election, "").await["leader"].is_null() })
        .await;
    let next = elected(&other.api, &election, "two", 60.0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(*observer.borrow(), None, "nobody can say who leads");
    stopped.process.signal(Signal::CONT);
    let seen = shown(&mut observer, Option::is_some).await.expect("a leader");
    assert_eq!(next["term"], seen.term);
    assert_eq!(resign(&other.api, &election, token(&next)).await.status, 204);
    shown(&mut observer, Option::is_none).await;
}

#[tokio::test]
async fn a_guard_that_watches_notices_a_break_before_its_next_renewal_and_nothing_else() {
    let redis = Redis::shared();
    let (one, two) = (Replica::on(redis).await, Replica::on(redis).await);
    let resource = name("watched");
    let client = client(format!("http://{}", one.api.address));
    let mut guard = client.lock(&resource).ttl(Duration::from_secs(60)).acquire().await.expect("a lock");
    guard.watch();
    // Neither other metadata nor another fence of the same holder is a loss.
    guard.set_metadata(json!("mine")).await.expect("changed");
    guard.convert(gorilla_client::Kind::shared()).await.expect("shared");
    guard.convert(gorilla_client::Kind::Exclusive).await.expect("exclusive");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(guard.is_held());
    let begun = Instant::now();
    assert_eq!(two.api.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await.status, 200);
    // The next renewal is due after 20 s.
    let lost = tokio::time::timeout(Duration::from_secs(15), guard.lost()).await.expect("before the next renewal");
    assert!(matches!(lost, Lost::Ended(_)), "{lost:?} after {:?}", begun.elapsed());
}
