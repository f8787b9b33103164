//! The page and the real stream of a real replica: what it shows follows the events alone. Once a view is there, the test
//! refuses the page what it would look at otherwise.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Browser;
use crate::harness::{Api, Redis, Replica, eventually, token};

/// How often a list that follows the stream is loaded anew all the same.
const LOADED_EACH: u64 = 15;
const PATIENCE: Duration = Duration::from_secs(60);

/// A replica whose locks nobody else changes.
async fn alone() -> (Redis, Replica) {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    (redis, replica)
}

/// A browser at a view that follows the stream.
async fn following(api: &Api, hash: &str) -> Browser {
    let browser = Browser::at(api, hash).await;
    browser
        .becomes(
            "the page follows the stream",
            "return document.querySelector('.live')?.title.includes('as they happen')",
            Value::Null,
        )
        .await;
    browser
}

/// Waits until the list has just these rows, in this order: the name and a part of what the row says.
async fn rows_are(browser: &Browser, rows: &[(&str, &str)]) {
    let wanted: Vec<Value> = rows.iter().map(|(name, part)| json!([name, part])).collect();
    browser
        .becomes(
            &format!("the rows are {rows:?}"),
            "const rows = [...document.querySelectorAll('tr[data-row]:not(.ended)')];
             return rows.length === arguments[0].length && arguments[0].every(([name, part], i) =>
                rows[i].querySelector('a').innerText === name && rows[i].innerText.includes(part))",
            Value::Array(wanted),
        )
        .await;
}

/// Waits until the only row says that so many wait; that none does, if `count` is empty.
async fn waits(browser: &Browser, count: &str) {
    let shown = "return (document.querySelector('tr[data-row] .waits')?.innerText ?? '') === arguments[0]";
    browser.becomes(&format!("{count:?} wait"), shown, count).await;
}

#[tokio::test]
async fn the_list_follows_what_the_replica_tells_and_is_not_loaded_again_for_it() {
    let (_redis, replica) = alone().await;
    let api = &replica.api;
    let first = api.granted("row-1", "first", 600).await;
    let browser = following(api, "#/locks?prefix=row-&sort=name").await;
    rows_are(&browser, &[("row-1", "first")]).await;
    browser.refuse(r"api/v1/locks\?").await;
    let begun = Instant::now();

    let second = api.granted("row-2", "second", 600).await;
    rows_are(&browser, &[("row-1", "first"), ("row-2", "second")]).await;
    let lease = "return [...document.querySelectorAll('tr[data-row]')].at(-1).querySelector('.left .num').innerText.includes('h')";
    assert_eq!(browser.run(lease, Value::Null).await, false);
    assert_eq!(api.extend("row-2", token(&second), 7200).await.status, 200);
    browser.becomes("the longer lease is shown", lease, Value::Null).await;
    assert_eq!(api.release("row-1", token(&first)).await.status, 204);
    rows_are(&browser, &[("row-2", "second")]).await;
    assert_eq!(api.break_lock("row-2", &json!({ "reason": "stuck" }), &[]).await.status, 200);
    browser.becomes("no row is left", "return document.querySelector('tr[data-row]') == null", Value::Null).await;
    api.granted("row-3", "third", 1).await;
    api.granted("row-4", "fourth", 600).await;
    // Nobody ends the third: its lease does.
    rows_are(&browser, &[("row-4", "fourth")]).await;
    // Who waits is counted, and is granted the lock when its turn comes.
    let mut waiting = Vec::new();
    for (owner, count) in [("fifth", "1"), ("sixth", "2")] {
        let (api, body) = (api.clone(), json!({ "owner": owner, "timeout": 600, "wait": 55 }));
        waiting.push(tokio::spawn(async move { api.acquire_with("row-4", &body, &[]).await.status }));
        waits(&browser, count).await;
    }
    for (owner, count) in [("fifth", "1"), ("sixth", "")] {
        assert_eq!(api.break_lock("row-4", &json!({}), &[]).await.status, 200);
        assert_eq!(waiting.remove(0).await.expect("no panic"), 200);
        rows_are(&browser, &[("row-4", owner)]).await;
        waits(&browser, count).await;
    }

    let lists = browser.asked(r"api/v1/locks\?").await;
    let most = begun.elapsed().as_secs() / LOADED_EACH + 1;
    // On a machine that stood still for long the page opens its stream again, and then loads the list too.
    let is_steady = browser.asked("api/v1/events").await.is_empty();
    assert!(!is_steady || lists.len() as u64 <= most, "{most} lists are those of the clock: {lists:?}");
    assert_eq!(browser.asked("api/v1/locks/").await, Vec::<String>::new(), "no lock was looked at");
}

#[tokio::test]
async fn the_strip_and_the_events_of_a_lock_follow_the_stream() {
    let (_redis, replica) = alone().await;
    let api = &replica.api;
    let first = api.granted("strip", "first", 600).await;
    let browser = following(api, "#/locks/strip").await;
    browser.shows(".holder .who", "first").await;
    // From here on the history is the stream's.
    browser.refuse(r"api/v1/locks/strip/events").await;
    assert_eq!(api.release("strip", token(&first)).await.status, 204);
    browser.shows(".free", "Free").await;
    browser.shows(".grants .released", "first").await;
    let second = api.granted("strip", "second", 600).await;
    browser.shows(".holder .who", "second").await;
    browser.shows(".grants .standing", "second").await;
    assert_eq!(api.extend("strip", token(&second), 700).await.status, 200);
    browser.shows(".events tbody", "renewed").await;
    assert_eq!(api.break_lock("strip", &json!({ "reason": "lost its disk" }), &[]).await.status, 200);
    browser.shows(".grants .broken", "second").await;
    browser.shows(".events tbody", "lost its disk").await;
    api.granted("strip", "third", 1).await;
    browser.shows(".grants .expired", "third").await;
    browser.shows(".free", "Free").await;
    for (kind, count) in [("granted", 3), ("renewed", 1), ("released", 1), ("broken", 1), ("expired", 1)] {
        let shown = "return [...document.querySelectorAll('.events tbody .event')].filter(each => each.innerText.includes(arguments[0])).length";
        let shown = browser.run(shown, kind).await;
        // The history of before, if the page had it in time, has the first grant.
        let least = if kind == "granted" { 2 } else { count };
        assert!((least..=count).contains(&shown.as_u64().expect("a number")), "{kind}: {shown}");
    }
}

#[tokio::test]
async fn the_events_view_tells_each_event_once_and_in_order() {
    let (_redis, replica) = alone().await;
    let api = &replica.api;
    let browser = following(api, "#/events?prefix=told").await;
    let lock = api.granted("told", "first", 600).await;
    api.granted("untold", "first", 600).await;
    let longer = api.extend("told", token(&lock), 700).await.json();
    assert_eq!(api.release("told", token(&longer)).await.status, 204);
    api.granted("told", "second", 1).await;
    eventually("the lease has ended", PATIENCE, || async { api.state("told").await["held"] == false }).await;
    api.granted("told", "third", 600).await;
    assert_eq!(api.break_lock("told", &json!({ "reason": "stuck" }), &[]).await.status, 200);
    browser.shows(".events tbody", "stuck").await;
    let shown = "return [...document.querySelectorAll('.events tbody .event')].map(each => each.innerText.replace(/\\W/g, '')).reverse()";
    assert_eq!(
        browser.run(shown, Value::Null).await,
        json!(["granted", "renewed", "released", "granted", "expired", "granted", "broken"])
    );
    browser.is_clean().await;
}

#[tokio::test]
async fn the_events_view_begins_with_what_happened_last_and_says_where_it_goes_live() {
    let (_redis, replica) = alone().await;
    let api = &replica.api;
    // Somebody listens, so that events are recorded before the view is opened.
    let other = following(api, "#/events").await;
    for owner in ["first", "second"] {
        let lock = api.granted("earlier", owner, 600).await;
        assert_eq!(api.release("earlier", token(&lock)).await.status, 204);
    }
    api.granted("elsewhere", "other", 600).await;
    other.shows(".events tbody", "elsewhere").await;
    let browser = following(api, "#/events?prefix=earlier").await;
    browser.shows(".events tbody", "Live since").await;
    api.granted("earlier", "third", 600).await;
    browser.shows(".events tbody", "third").await;
    let rows = "return [...document.querySelectorAll('.events tbody tr')].map(row =>
        /Live since/.test(row.innerText) ? 'live' : row.innerText.match(/first|second|third|other/)[0])";
    assert_eq!(browser.run(rows, Value::Null).await, json!(["third", "live", "second", "second", "first", "first"]));
    // The other view was there when nothing was recorded yet, and has no such line.
    assert!(!other.text(".events tbody").await.contains("Live since"));
    browser.is_clean().await;
}
