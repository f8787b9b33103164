//! What the page says where there is nothing to show, or where it can't be shown.

use std::{collections::BTreeSet, process::Command, time::Duration};

use serde_json::Value;

use super::{Browser, front::Front};
use crate::harness::{AccessFile, Key, Redis, Replica, eventually, key_entry, name, role};

#[tokio::test]
async fn without_a_lock_the_page_shows_a_line_that_takes_one() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let browser = Browser::at(&replica.api, "#/locks").await;
    browser.shows(".empty", "Nobody holds a lock.").await;
    let line = browser.text(".empty code").await;
    let output = Command::new("sh").args(["-c", &line]).output().expect("sh runs");
    let lock: Value = serde_json::from_slice(&output.stdout).expect("the line prints a lock");
    assert_eq!(lock["resource"], "orders");
    browser.shows("table.locks", "orders").await;
    browser.open("#/locks?prefix=nothing-like-this").await;
    browser.shows(".empty", "No lock matches.").await;
    browser.click(".empty a", "exactly this name").await;
    browser.shows(".free", "Free").await;
    browser.open("#/nowhere").await;
    browser.shows(".empty", "There is no such view.").await;
    browser.open("#/locks/a%2Fb").await;
    browser.shows("main", "This can't be the name of a lock.").await;
    browser.is_clean().await;
}

#[tokio::test]
async fn a_replica_that_demands_keys_is_told_one_and_no_more_is_shown_than_the_key_allows() {
    let (all, few) = (Key::new("all"), Key::new("few"));
    let verbs = r#"verbs = ["acquire", "wait", "extend", "release", "inspect", "list", "break", "limit", "metrics"]"#;
    let text = [
        role("operator", &format!("{{ prefix = \"\", {verbs} }}")),
        role("looks", r#"{ prefix = "seen:", verbs = ["inspect"] }"#),
        key_entry("everything", "operator", &all, ""),
        key_entry("few", "looks", &few, ""),
    ];
    let (redis, file) = (Redis::start(&[]), AccessFile::new(&text.concat()));
    let path = file.path();
    let replica = Replica::with(&redis.url(), &[("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))]).await;
    let api = replica.api.with_key(&all);
    api.granted("seen:1", "somebody", 600).await;
    api.granted("unseen", "somebody", 600).await;

    let browser = Browser::at(&replica.api, "#/locks").await;
    browser.shows(".key-form", "asks for an API key").await;
    browser.fill("[name=key]", &Key::new("unknown").text).await;
    browser.press("Enter").await;
    browser.shows(".key-form", "The key was refused.").await;
    browser.fill("[name=key]", &few.text).await;
    browser.press("Enter").await;
    browser.shows("main", "Your key may not see this.").await;
    // In the memory of the tab alone.
    let kept = browser
        .run(
            "return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])",
            Value::Null,
        )
        .await;
    assert!(!kept.to_string().contains("gorilla_"), "{kept}");
    browser.run("location.hash = '#/locks/seen:1'", Value::Null).await;
    browser.shows(".holder", "somebody").await;
    browser.shows(".no-right", "has no right to break it").await;
    assert_eq!(browser.text(".holder button").await, "", "no button for what the key may not do");
    browser.run("location.hash = '#/locks/unseen'", Value::Null).await;
    browser.shows("main", "Your key may not see this.").await;

    browser.open("#/locks").await;
    browser.shows(".key-form", "asks for an API key").await;
    browser.fill("[name=key]", &all.text).await;
    browser.press("Enter").await;
    browser.shows("table.locks", "unseen").await;
    browser.is_clean().await;
}

#[tokio::test]
async fn while_redis_is_away_the_last_data_stay_with_their_age() {
    let mut redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let name = name("kept-on-screen");
    replica.api.granted(&name, "somebody", 3600).await;
    let browser = Browser::at(&replica.api, "#/locks").await;
    browser.shows("table.locks", &name).await;
    redis.stop();
    browser.shows(".notice.bad", "Redis is away.").await;
    browser.shows(".notice.bad", "What you see is").await;
    browser.shows(".live", "stale").await;
    browser
        .becomes(
            "the data are greyed",
            "return getComputedStyle(document.querySelector('main > .panel')).opacity < 1",
            Value::Null,
        )
        .await;
    browser.shows("table.locks", &name).await;
    redis.run();
    eventually("the replica is ready again", Duration::from_secs(30), || async {
        replica.api.get("/_ready").await.status == 200
    })
    .await;
    browser.becomes("the page is as before", "return document.querySelector('.notice.bad') == null", Value::Null).await;
    assert_eq!(browser.wrong().await, Vec::<String>::new());
}

#[tokio::test]
async fn after_a_loss_of_data_the_page_says_for_how_long_grants_wait() {
    let mut redis = Redis::start(&[]);
    let settings = [("GORILLA__REDIS__FAILOVER_GRACE", "10m"), ("GORILLA__LIMITS__MAX_TIMEOUT", "10m")];
    let replica = Replica::with(&redis.url(), &settings).await;
    let browser = Browser::at(&replica.api, "#/locks").await;
    redis.stop();
    browser.shows(".notice.bad", "Redis is away.").await;
    // It comes back without its data.
    redis.run();
    browser.shows(".notice.warn", "Recovering.").await;
    assert_eq!(replica.api.acquire(&name("early"), "me", 5).await.code(), "recovering");
    // The rest of the grace grows less by itself.
    let said = browser.text(".notice.warn").await;
    assert!(said.contains("New grants wait for another"), "{said}");
    let changes =
        "const said = document.querySelector('.notice.warn')?.innerText; return said != null && said !== arguments[0]";
    browser.becomes("the rest of the grace is less", changes, said).await;
    assert_eq!(browser.wrong().await, Vec::<String>::new());
}

#[tokio::test]
async fn with_two_versions_behind_a_balancer_the_page_says_so_and_nothing_breaks() {
    let redis = Redis::start(&[]);
    let new = Replica::on(&redis).await;
    let old = Replica::of(&Replica::program_of_0_1(), &redis.url(), &[]);
    eventually("the old replica is ready", Duration::from_secs(20), || async {
        old.api.get("/_ready").await.status == 200
    })
    .await;
    let name = name("both-know-it");
    new.api.granted(&name, "somebody", 3600).await;
    let front = Front::balancing(&[&new.api, &old.api]).await;
    let browser = Browser::at(&front.api, &format!("#/locks/{name}")).await;
    let mut versions = BTreeSet::new();
    for _ in 0..100 {
        browser.reload().await;
        browser.shows(".holder", "somebody").await;
        let version = "return document.querySelector('meta[name=gorilla-version]').content";
        versions.insert(browser.run(version, Value::Null).await.to_string());
        assert_eq!(browser.wrong().await, Vec::<String>::new());
    }
    assert_eq!(versions.len(), 2, "{versions:?}");
    let mut told = false;
    for view in ["#/", "#/contention", "#/events", "#/locks"] {
        browser.open(view).await;
        browser
            .becomes(
                "the view is there",
                "return document.querySelector('h1') != null && document.querySelector('.loading') == null",
                Value::Null,
            )
            .await;
        told |= browser.text("main").await.contains("Versions differ.");
        assert_eq!(browser.wrong().await, Vec::<String>::new());
    }
    assert!(told, "nowhere it says that versions differ");
}
