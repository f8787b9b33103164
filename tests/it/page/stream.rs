//! The page and the stream of events. The test writes the stream, as docs/reference/events.md describes it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Browser, NASTY, front::Front};
use crate::harness::{Api, Replica, eventually, name};

const NOW: &str = "2026-11-28T03:12:00.000Z";
const PATIENCE: Duration = Duration::from_secs(30);

fn hello(resumed: bool, recorded_since: Value) -> Value {
    json!({ "type": "hello", "replica": "4f3a9c01d2e7", "now": NOW, "resumed": resumed, "recordedSince": recorded_since })
}

fn granted(resource: &str, fence: u64) -> Value {
    let id = "01a21e33-e219-763a-bc80-b0af52b96760";
    json!({ "type": "granted", "cursor": format!("5f0a.1795803046430-{fence}.0"), "resource": resource, "owner": "<i>ci</i>",
        "fence": fence, "id": id, "at": NOW, "expireAt": "2026-11-28T04:12:00.000Z", "waitedMs": 812, "metadata": [] })
}

/// A browser at a view whose stream has said hello.
async fn following(api: &Api, hash: &str) -> (Front, Browser) {
    let front = Front::with_events(api).await;
    let browser = Browser::at(&front.api, hash).await;
    eventually("the page follows the events", PATIENCE, || async { front.open() == 1 }).await;
    front.tell(&hello(false, NOW.into()));
    browser.shows(".live", "live").await;
    (front, browser)
}

#[tokio::test]
async fn events_are_shown_as_they_happen_and_gaps_are_told() {
    let (front, browser) =
        following(&Replica::shared().await, "#/events?prefix='&types=granted,released,expired,broken,undone").await;
    let asked = front.asked();
    assert!(asked[0].contains("prefix=%27") && asked[0].contains("types=granted"), "{asked:?}");
    front.tell(&granted(NASTY, 1));
    browser.shows(".events tbody", "<img src=x onerror=alert(1)>").await;
    browser.shows(".events tbody", "waited 812 ms").await;
    front.tell(&json!({ "type": "missed", "reason": "failover" }));
    browser.shows(".events tbody", "Events are missing here").await;
    // A type of a later version is no reason to stop.
    front.tell(&json!({ "type": "of_a_later_version", "cursor": "x" }));
    front.tell(&granted("after-that", 2));
    browser.shows(".events tbody", "after-that").await;
    assert_eq!(browser.run("return document.querySelectorAll('.events i, .events img').length", Value::Null).await, 0);
    browser.is_clean().await;
}

#[tokio::test]
async fn a_tab_that_nobody_sees_has_no_stream_and_resumes_by_its_cursor() {
    let (front, browser) = following(&Replica::shared().await, "#/events").await;
    front.tell(&granted("seen", 7));
    browser.shows(".events tbody", "seen").await;
    browser.hide(true).await;
    eventually("the stream is closed", PATIENCE, || async {
        front.tell(&json!({ "type": "bookmark" }));
        front.open() == 0
    })
    .await;
    browser.hide(false).await;
    eventually("the stream is open again", PATIENCE, || async { front.open() == 1 }).await;
    let asked = front.asked();
    let last = asked.last().expect("a stream");
    assert!(last.contains("since=5f0a.1795803046430-7.0"), "{asked:?}");
    front.tell(&hello(true, NOW.into()));
    front.tell(&granted("meanwhile", 8));
    browser.shows(".events tbody", "meanwhile").await;
    // What was there before is still there.
    browser.shows(".events tbody", "seen").await;
    browser.is_clean().await;
}

#[tokio::test]
async fn an_event_changes_a_row_without_another_look() {
    let (api, prefix) = (Replica::shared().await, name("told"));
    api.granted(&format!("{prefix}-1"), "me", 600).await;
    let (front, browser) = following(&api, &format!("#/locks?prefix={prefix}-")).await;
    browser.shows("table.locks", &format!("{prefix}-1")).await;
    // Nobody holds this one, so only the event can have brought the row.
    front.tell(&granted(&format!("{prefix}-2"), 2));
    browser.shows("table.locks", &format!("{prefix}-2")).await;
    browser.is_clean().await;
}

#[tokio::test]
async fn where_events_are_off_the_page_says_so_and_asks_again_instead() {
    let (api, name) = (Replica::shared().await, name("no-events"));
    let front = Front::with_events(&api).await;
    let browser = Browser::at(&front.api, "#/events").await;
    eventually("the page asks for events", PATIENCE, || async { front.open() == 1 }).await;
    front.tell(&hello(false, Value::Null));
    browser.shows("main", "Events are off.").await;
    browser.run("location.hash = arguments[0]", format!("#/locks/{name}")).await;
    browser.shows(".free", "Free").await;
    api.granted(&name, "me", 600).await;
    browser.shows(".holder", "me").await;
    browser.is_clean().await;
}
