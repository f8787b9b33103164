//! What the page shows of locks, and what it gives to paste elsewhere.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};

use super::{Browser, NASTY};
use crate::harness::{Method, Redis, Replica, lock_path, name};

/// What the page says it has copied, after a click on one of the copy buttons.
async fn copied(browser: &Browser, what: &str) -> String {
    browser.click_with_mouse(&format!("[data-copy={what}]")).await;
    browser.shows(".toast b", &format!("Copied {what}")).await;
    browser
        .run("return document.querySelector('[data-copied]').textContent", Value::Null)
        .await
        .as_str()
        .expect("text")
        .into()
}

fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().expect("sh runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn a_name_that_could_do_harm_is_text_and_the_copied_commands_hit_exactly_that_lock() {
    let api = Replica::shared().await;
    let lock = api.granted(NASTY, "<b>an owner</b>", 600).await;
    let browser = Browser::at(&api, "#/locks?prefix='").await;
    browser.shows("table.locks", "<b>an owner</b>").await;
    browser.click("table.locks a", "onerror").await;
    browser.shows(".holder", "<b>an owner</b>").await;
    // As text, with what would turn it around made visible. Nothing of it became an element.
    browser.shows("h1", "<img src=x onerror=alert(1)>").await;
    browser.shows("h1", "U+202E").await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('img, b:not([class]) b, #page script').length", Value::Null)
            .await,
        0
    );
    let hash = browser.run("return location.hash", Value::Null).await;

    let state: Value = serde_json::from_str(&run(&copied(&browser, "curl").await)).expect("curl prints the state");
    assert_eq!((&state["resource"], &state["fence"]), (&NASTY.into(), &lock["fence"]));
    let line = copied(&browser, "gorilla").await;
    let program = Replica::program();
    let line = line.replacen("gorilla ", &format!("{} ", program.display()), 1).replace("status ", "status --json ");
    let state: Value = serde_json::from_str(&run(&line)).expect("gorilla prints the state");
    assert_eq!(state["fence"], lock["fence"], "{line}");
    let line = copied(&browser, "redis-cli").await;
    let line = line.replacen("redis-cli ", &format!("redis-cli -p {} ", Redis::shared().port), 1);
    let hash_of_lock = run(&line);
    assert!(
        hash_of_lock.contains("<b>an owner</b>") && hash_of_lock.contains(&lock["fence"].to_string()),
        "{hash_of_lock}"
    );
    assert!(!hash_of_lock.contains(lock["token"].as_str().expect("a token")), "the token is shown");
    let link = copied(&browser, "link").await;
    assert!(link.ends_with(hash.as_str().expect("text")), "{link} {hash}");
    browser.is_clean().await;
}

#[tokio::test]
async fn groups_and_semaphores_are_shown_as_such() {
    let (api, pool) = (Replica::shared().await, name("pool"));
    for owner in ["train-1", "train-2"] {
        let body = json!({ "owner": owner, "timeout": 600, "mode": "shared", "limit": 5, "permits": 2 });
        assert_eq!(api.acquire_with(&pool, &body, &[]).await.status, 200);
    }
    let browser = Browser::at(&api, &format!("#/locks/{pool}")).await;
    browser.shows(".group", "4 of 5 permits").await;
    browser.shows(".group table", "train-1").await;
    browser.shows(".group table", "train-2").await;
    // The break of one holder asks for the fence of that holder.
    browser.click(".group button", "Break").await;
    browser.shows("dialog", "Break this grant").await;
    browser.press("Escape").await;
    browser.open(&format!("#/locks?prefix={pool}")).await;
    browser.shows("table.locks", "4 of 5").await;
    browser.is_clean().await;
}

#[tokio::test]
async fn the_copied_line_for_redis_has_the_prefix_of_the_deployment() {
    let redis = Redis::start(&[]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__REDIS__KEY_PREFIX", "team-a.gorilla")]).await;
    replica.api.granted("a b'c", "its owner", 600).await;
    let browser = Browser::at(&replica.api, "#/locks?prefix=a").await;
    browser.click("table.locks a", "a b'c").await;
    browser.shows(".holder", "its owner").await;
    let line = copied(&browser, "redis-cli").await;
    let shown = run(&line.replacen("redis-cli ", &format!("redis-cli -p {} ", redis.port), 1));
    assert!(shown.contains("its owner"), "{line}: {shown}");
    browser.is_clean().await;
}

#[tokio::test]
async fn search_finds_an_exact_name_first_and_keys_lead_everywhere() {
    let (api, name) = (Replica::shared().await, name("found"));
    api.granted(&name, "me", 600).await;
    api.granted(&format!("{name}-too"), "me", 600).await;
    let browser = Browser::at(&api, "#/locks").await;
    browser.shows("h1", "Locks").await;
    browser.press("/").await;
    browser
        .becomes("the search has the focus", "return document.activeElement.matches('.search input')", Value::Null)
        .await;
    browser.fill(".search input", &name).await;
    browser.shows("#found", "exactly this").await;
    browser.press("Enter").await;
    browser.shows("h1", &name).await;
    for (key, title) in [("o", "Overview"), ("c", "Contention"), ("e", "Events"), ("l", "Locks")] {
        browser.press("g").await;
        browser.press(key).await;
        browser.shows("h1", title).await;
    }
    browser.open(&format!("#/locks?prefix={name}&sort=name")).await;
    browser.shows("table.locks", &format!("{name}-too")).await;
    browser.press("j").await;
    browser.press("j").await;
    browser
        .becomes(
            "the second row is chosen",
            "return document.querySelector('tr.selected')?.innerText.includes('-too')",
            Value::Null,
        )
        .await;
    browser.press("Enter").await;
    browser.shows("h1", &format!("{name}-too")).await;
    // Keys do nothing but what they should while somebody types.
    browser.press("?").await;
    browser.shows("dialog", "find a lock").await;
    browser.press("Escape").await;
    browser.becomes("the help is gone", "return document.querySelector('dialog') == null", Value::Null).await;
    browser.is_clean().await;
}

#[tokio::test]
async fn a_queue_shows_who_waits() {
    let (api, name) = (Replica::shared().await, name("waited-for"));
    let lock = api.granted(&name, "first", 600).await;
    let waiting = tokio::spawn({
        let (api, name) = (api.clone(), name.clone());
        async move { api.acquire_with(&name, &json!({ "owner": "second", "timeout": 30, "wait": 55 }), &[]).await.status }
    });
    let browser = Browser::at(&api, &format!("#/locks/{name}")).await;
    browser.shows(".columns", "second").await;
    browser.shows(".answer", "1 request waits").await;
    let released = api.release(&name, lock["token"].as_str().expect("a token")).await;
    assert_eq!(released.status, 204);
    assert_eq!(waiting.await.expect("no panic"), 200);
    browser.shows(".holder .who", "second").await;
    assert_eq!(api.get(&lock_path(&name)).await.json()["owner"], "second");
    browser.is_clean().await;
}

#[tokio::test]
async fn the_verdict_follows_the_renewals() {
    let (api, name) = (Replica::shared().await, name("renewed"));
    let lock = api.granted(&name, "me", 600).await;
    let browser = Browser::at(&api, &format!("#/locks/{name}")).await;
    browser.shows(".answer", "Can't tell.").await;
    let token = lock["token"].as_str().expect("a token");
    let path = format!("{}/{token}", lock_path(&name));
    let renewing = async {
        for longer in 0.. {
            let body = json!({ "timeout": 700 + longer, "rotate": false }).to_string();
            assert_eq!(api.send(Method::PUT, &path, &[], Some(body)).await.status, 200);
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    };
    tokio::select! {
        () = renewing => unreachable!("it never ends"),
        () = browser.shows(".answer", "Looks alive.") => {}
    }
    browser.shows(".answer", "Renewals stopped.").await;
    browser.shows(".answer", "It ends by itself at").await;
    browser.is_clean().await;
}
