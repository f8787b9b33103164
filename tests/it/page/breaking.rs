//! Breaking a lock by the page: never another grant, never twice, never a claim that nobody knows.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Browser, NASTY};
use crate::harness::{Mode, Proxy, Redis, Replica, eventually, name, token};

fn last_digits(lock: &Value) -> String {
    let fence = lock["fence"].to_string();
    fence[fence.len() - 6..].into()
}

async fn opens_the_dialog(browser: &Browser) {
    browser.click(".holder button", "Break").await;
    browser.shows("dialog", "This does not stop").await;
}

const IS_ARMED: &str = "return document.querySelector('dialog button.danger')?.disabled === false";
const IS_NOT_ARMED: &str = "return document.querySelector('dialog button.danger:not(:disabled)') == null";

#[tokio::test]
async fn a_break_needs_the_last_digits_of_the_fence_and_tells_what_it_does_not_do() {
    let replica = Replica::start().await;
    let lock = replica.api.granted(NASTY, "ci/4711", 600).await;
    let browser = Browser::at(&replica.api, "#/locks?prefix='").await;
    browser.click("table.locks a", "onerror").await;
    browser.shows(".answer", "Can't tell").await;
    // One key only opens the dialog.
    browser.press("b").await;
    browser.shows("dialog", "This does not stop").await;
    browser.fill("[data-digits]", "12345").await;
    browser.becomes("it is not armed", IS_NOT_ARMED, Value::Null).await;
    browser.fill("dialog input:not([data-digits])", "lost its disk").await;
    browser.fill("[data-digits]", &last_digits(&lock)).await;
    browser.becomes("it is armed", IS_ARMED, Value::Null).await;
    browser.click("dialog button", "Break this grant").await;
    browser.shows("dialog", "Broken.").await;
    assert_eq!(replica.api.state(NASTY).await["held"], false);
    let log = replica.log();
    let audit = log.lines().find(|line| line.contains("lost its disk")).expect("the break is in the log");
    assert!(audit.contains(&lock["fence"].to_string()), "{audit}");
    browser.click("dialog button", "Close").await;
    browser.shows(".free", "Free").await;
    browser.is_clean().await;
}

#[tokio::test]
async fn a_break_is_disarmed_when_the_lock_changes_hands_while_it_is_typed() {
    let (api, name) = (Replica::shared().await, name("disarmed"));
    let lock = api.granted(&name, "first", 600).await;
    let browser = Browser::at(&api, &format!("#/locks/{name}")).await;
    opens_the_dialog(&browser).await;
    browser.fill("[data-digits]", &last_digits(&lock)).await;
    browser.becomes("it is armed", IS_ARMED, Value::Null).await;
    assert_eq!(api.release(&name, token(&lock)).await.status, 204);
    let next = api.granted(&name, "second", 600).await;
    browser.shows("dialog", "It changed hands while you typed.").await;
    browser.shows("dialog", "second").await;
    browser.shows("dialog", "Nothing was broken.").await;
    browser.becomes("it is not armed", IS_NOT_ARMED, Value::Null).await;
    assert_eq!(api.state(&name).await["fence"], next["fence"]);
    browser.is_clean().await;
}

#[tokio::test]
async fn a_break_that_comes_too_late_breaks_nothing_and_says_so() {
    let (api, name) = (Replica::shared().await, name("too-late"));
    let lock = api.granted(&name, "first", 600).await;
    let browser = Browser::at(&api, &format!("#/locks/{name}")).await;
    browser.shows(".holder", "first").await;
    // A page that is paused doesn't see the change, so the click still goes out.
    browser.press("p").await;
    browser.shows(".live", "paused").await;
    opens_the_dialog(&browser).await;
    assert_eq!(api.release(&name, token(&lock)).await.status, 204);
    let next = api.granted(&name, "second", 600).await;
    browser.fill("[data-digits]", &last_digits(&lock)).await;
    browser.click("dialog button", "Break this grant").await;
    browser.shows("dialog", "It changed hands while you typed.").await;
    browser.shows("dialog", "second").await;
    browser.shows("dialog", "Nothing was broken.").await;
    assert_eq!(api.state(&name).await["fence"], next["fence"], "the grant of somebody else was broken");
    browser.is_clean().await;
}

#[tokio::test]
async fn a_break_whose_answer_is_lost_is_asked_for_again_with_the_same_key() {
    let redis = Redis::start(&[]);
    let link = Proxy::to(&redis).await;
    let replica = Replica::with(&format!("redis://127.0.0.1:{}", link.port), &[]).await;
    let (api, name) = (&replica.api, name("unknown"));
    // A first break, so that Redis has the script: it would answer the next one that it lacks it, and nothing would happen.
    api.granted(&name, "before", 600).await;
    assert_eq!(api.break_lock(&name, &json!({}), &[]).await.status, 200);
    let lock = api.granted(&name, "first", 600).await;
    let browser = Browser::at(api, &format!("#/locks/{name}")).await;
    opens_the_dialog(&browser).await;
    browser.fill("[data-digits]", &last_digits(&lock)).await;
    browser.becomes("it is armed", IS_ARMED, Value::Null).await;
    link.set(Mode::SwallowReplies);
    browser.click("dialog button", "Break this grant").await;
    browser.shows("dialog", "Nobody knows yet whether it was broken.").await;
    let held = format!("gorilla:{{{name}}}:lock");
    eventually("Redis has executed it", Duration::from_secs(10), || async { redis.cli(&["EXISTS", &held]) == "0" })
        .await;
    // That another attempt did nothing says nothing of the first.
    link.set(Mode::Refuse);
    link.cut();
    browser.becomes(
        "the page tells what a later attempt was told",
        "const dialog = document.querySelector('dialog'); if (dialog.innerText.includes(\"The latest attempt was told: Redis can't be reached\")) return true; [...dialog.querySelectorAll('button')].find(button => button.innerText === 'Ask again')?.click(); return false",
        Value::Null,
    )
    .await;
    browser.shows("dialog", "Nobody knows yet whether it was broken.").await;
    // Somebody else takes the lock meanwhile. The break, asked for again, must not reach that grant.
    link.set(Mode::Pass);
    link.cut();
    eventually("the replica serves again", Duration::from_secs(20), || async {
        api.acquire(&name, "second", 600).await.status == 200
    })
    .await;
    browser.becomes(
        "the page asks again until it knows",
        "const dialog = document.querySelector('dialog'); [...dialog.querySelectorAll('button')].find(button => button.innerText === 'Ask again')?.click(); return dialog.innerText.includes('Broken.')",
        Value::Null,
    )
    .await;
    assert_eq!(api.state(&name).await["owner"], "second", "it was broken twice");
    assert_eq!(browser.wrong().await, Vec::<String>::new());
}
