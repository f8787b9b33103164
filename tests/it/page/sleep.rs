//! A machine that slept: Redis and the wall clock went on, the browser did not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Browser;
use crate::harness::{Redis, Replica, WallClock, eventually, token};

/// For how long the machine sleeps, in seconds.
const SLEEP: i64 = 600;
/// The browser's wall clock, which the test moves. Its steady clock stands still during a sleep.
const WALL: &str = "const wall = Date.now.bind(Date); window.slept = 0; Date.now = () => wall() + slept * 1000;";

#[tokio::test]
async fn a_tab_that_slept_for_ten_minutes_catches_up_with_few_requests_and_says_what_it_missed() {
    let clock = WallClock::new();
    let redis = Redis::start_in(&[], &clock.env());
    let replica = Replica::on(&redis).await;
    let api = &replica.api;
    let first = api.granted("asleep", "first", 7200).await;
    let browser = Browser::start(&format!("http://{}/", api.address)).await;
    browser.tell("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WALL })).await;
    browser.size(1440).await;
    browser.open("#/locks/asleep").await;
    browser.shows(".holder .who", "first").await;
    let follows = "return document.querySelector('.live')?.title.includes('as they happen')";
    browser.becomes("the page follows the stream", follows, Value::Null).await;

    browser.hide(true).await;
    eventually("nobody listens", Duration::from_secs(60), || async {
        api.get("/metrics").await.text.lines().any(|line| line.starts_with("gorilla_listeners 0"))
    })
    .await;
    browser.tell("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    assert_eq!(api.release("asleep", token(&first)).await.status, 204);
    let second = api.granted("asleep", "second", 7200).await;
    // Nobody listens for that long, so Redis forgets what was recorded.
    clock.step(SLEEP);
    eventually("the events are gone", Duration::from_secs(30), || async {
        redis.cli(&["EXISTS", "gorilla:events"]) == "0"
    })
    .await;
    browser.tell("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    browser.run("window.slept = arguments[0]; asked.length = 0", SLEEP).await;
    let woken = Instant::now();
    browser.hide(false).await;
    browser.shows(".holder .who", "second").await;
    browser.shows(".events tbody", "Events are missing here").await;
    browser.shows(".holder .lease", "1h 4").await;
    // What is asked for each few seconds, once, and again for the gap; and then what time brings.
    let (asked, seconds) = (browser.asked("").await, woken.elapsed().as_secs());
    assert!(asked.len() as u64 <= 25 + 3 * seconds, "{} requests in {seconds} s: {asked:?}", asked.len());
    let now: i64 = redis.cli(&["TIME"]).lines().next().and_then(|now| now.parse().ok()).expect("seconds");
    let shown = "return Number(document.querySelector('[data-redis-now]').dataset.redisNow) / 1000 >= arguments[0]";
    browser.becomes("the time of Redis is right again", shown, now).await;
    assert_eq!(api.state("asleep").await["fence"], second["fence"]);
    browser.is_clean().await;
}
