//! The page follows what happens, holds still under a pointer, and believes Redis's clock alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::Browser;
use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn rows_follow_by_themselves_and_hold_still_under_a_pointer() {
    let (api, prefix) = (Replica::shared().await, name("row"));
    let first = api.granted(&format!("{prefix}-1"), "me", 600).await;
    let browser = Browser::at(&api, &format!("#/locks?prefix={prefix}-&sort=name")).await;
    browser.shows("table.locks", &format!("{prefix}-1")).await;
    api.granted(&format!("{prefix}-2"), "me", 600).await;
    browser.shows("table.locks", &format!("{prefix}-2")).await;

    browser.point_at("tr[data-row]").await;
    let before = browser
        .run("return [...document.querySelectorAll('tr[data-row] a')].map(link => link.innerText)", Value::Null)
        .await;
    api.granted(&format!("{prefix}-0"), "me", 600).await;
    assert_eq!(api.release(&format!("{prefix}-1"), token(&first)).await.status, 204);
    browser.shows(".changes", "2 changes: show").await;
    let during = browser
        .run("return [...document.querySelectorAll('tr[data-row] a')].map(link => link.innerText)", Value::Null)
        .await;
    assert_eq!(before, during, "rows moved under the pointer");
    browser.click(".changes", "show").await;
    browser.becomes(
        "the rows are those of now",
        "return [...document.querySelectorAll('tr[data-row] a')].map(link => link.innerText.slice(-2)).join() === '-0,-2'",
        Value::Null,
    )
    .await;
    browser.is_clean().await;
}

#[tokio::test]
async fn ages_and_bars_are_right_where_the_browsers_clock_is_hours_wrong() {
    let (api, name) = (Replica::shared().await, name("wrong-clock"));
    api.granted(&name, "me", 600).await;
    let browser = Browser::start(&format!("http://{}/", api.address)).await;
    let wrong = "const now = Date.now.bind(Date); Date.now = () => now() + 3 * 3600 * 1000;";
    browser.tell("Page.addScriptToEvaluateOnNewDocument", json!({ "source": wrong })).await;
    browser.size(1440).await;
    browser.open(&format!("#/locks/{name}")).await;
    browser.shows(".holder", "me").await;
    let looks = "const now = Number(document.querySelector('[data-redis-now]').dataset.redisNow); return now > 0";
    browser.becomes("Redis's time is known", looks, Value::Null).await;
    let state = api.state(&name).await;
    let told = browser.run("return [document.querySelector('[data-redis-now]').dataset.redisNow, document.querySelector('.left.wide .num').innerText, document.querySelector('.redis-time').innerText]", Value::Null).await;
    let redis = Redis::shared().cli(&["TIME"]);
    let redis: i64 = redis.lines().next().and_then(|seconds| seconds.parse().ok()).expect("seconds");
    let shown: i64 = told[0].as_str().and_then(|now| now.parse().ok()).expect("a time");
    // Half a second between two looks of the page, and what lies between the two questions of this test.
    assert!((shown / 1000 - redis).abs() <= 4, "the page shows {shown}, Redis has {redis}");
    let left: u64 = state["ttlMs"].as_u64().expect("a time");
    let minutes = told[1].as_str().expect("text").split('m').next().and_then(|minutes| minutes.parse::<u64>().ok());
    assert!(minutes.is_some_and(|minutes| minutes.abs_diff(left / 60_000) <= 1), "{told} {left}");
    browser.is_clean().await;
}

#[tokio::test]
async fn eight_tabs_are_all_usable_although_a_browser_has_six_connections() {
    let (api, name) = (Replica::shared().await, name("tabs"));
    let lock = api.granted(&name, "me", 600).await;
    let browser = Browser::at(&api, &format!("#/locks/{name}")).await;
    browser.more_tabs(7, &format!("#/locks/{name}")).await;
    assert_eq!(api.release(&name, token(&lock)).await.status, 204);
    api.granted(&name, "next", 600).await;
    for tab in browser.tabs().await {
        browser.switch(&tab).await;
        browser.shows(".holder .who", "next").await;
    }
}

#[tokio::test]
async fn thousands_of_locks_are_a_few_rows_of_the_document() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let locks: Vec<_> = (0..3000)
        .map(|i| json!({ "op": "acquire", "resource": format!("many:{i:04}"), "owner": "me", "timeout": 3600 }))
        .collect();
    for part in locks.chunks(60) {
        assert_eq!(replica.api.batch(&json!({ "operations": part }), &[]).await.json()["failed"], 0);
    }
    let browser = Browser::at(&replica.api, "#/locks?sort=name").await;
    browser.shows("table.locks", "many:0000").await;
    let rows = browser.run("return document.querySelectorAll('tr[data-row]').length", Value::Null).await;
    assert!(rows.as_u64().is_some_and(|rows| rows < 120), "{rows} rows");
    // Scrolling to the end loads what comes next, until the last lock is there.
    browser.becomes("the last lock is on the screen", "scrollTo(0, document.body.scrollHeight); return document.querySelector('table.locks').innerText.includes('many:2999')", Value::Null).await;
    let rows = browser.run("return document.querySelectorAll('tr[data-row]').length", Value::Null).await;
    assert!(rows.as_u64().is_some_and(|rows| rows < 120), "{rows} rows");
    browser.is_clean().await;
    tokio::time::timeout(Duration::from_secs(30), browser.text("h1")).await.expect("the page still answers");
}
