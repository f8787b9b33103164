//! What happens while the file can't be written: a full disk, a FIFO that nobody reads.

use std::{
    fs,
    io::Read,
    os::unix::fs::{OpenOptionsExt, symlink},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use super::{PATIENCE, Trail, verified};
use crate::harness::{Answer, Api, Method, Redis, Replica, eventually, lock_path, name, token};

const REFUSE: (&str, &str) = ("GORILLA__AUDIT__ON_FAILURE", "refuse");

/// A file that can be made to fail and to work again. It fails as `/dev/full` does, because the path is a link.
struct Switch {
    trail: Trail,
}

impl Switch {
    fn new() -> Self {
        let switch = Self { trail: Trail::new() };
        switch.lead_to("/dev/null");
        switch.works();
        switch
    }

    fn lead_to(&self, target: &str) {
        let link = self.trail.path("link");
        symlink(target, &link).expect("a link");
        fs::rename(link, self.trail.file()).expect("a link that can be replaced");
    }

    fn fails(&self) {
        self.lead_to("/dev/full");
    }

    fn works(&self) {
        self.lead_to("real.log");
    }
}

async fn refusing(api: &Api) {
    eventually("the replica is not ready", PATIENCE, || async { api.get("/_ready").await.status == 503 }).await;
    let answer = api.get("/_ready").await;
    assert_eq!(answer.code(), "not_ready");
    assert!(answer.text.contains("The audit file can't be written"), "{answer:?}");
}

async fn ready(api: &Api) {
    eventually("the replica is ready", PATIENCE, || async { api.get("/_ready").await.status == 200 }).await;
}

#[track_caller]
fn unavailable(answer: &Answer) {
    let body = answer.json();
    assert_eq!((answer.status, answer.code().as_str()), (503, "audit_unavailable"), "{answer:?}");
    assert_eq!((&body["outcome"], answer.header("retry-after")), (&json!("not_executed"), Some("1")));
}

async fn convert(api: &Api, resource: &str, lock: &Value) -> Answer {
    let path = format!("{}/{}", lock_path(resource), token(lock));
    api.send(Method::PUT, &path, &[], Some(json!({ "timeout": 60, "mode": "shared" }).to_string())).await
}

/// Asks for everything of a replica that can't write, and says what must be answered. Takes locks that are held.
async fn only_extends_and_releases_go_on(api: &Api, held: [(&str, &Value); 2]) {
    let [(kept, kept_lock), (freed, freed_lock)] = held;
    let free = name("refused");
    unavailable(&api.acquire(&free, "me", 30).await);
    unavailable(&api.acquire_with(&free, &json!({ "owner": "me", "timeout": 30, "wait": 5 }), &[]).await);
    unavailable(&api.break_lock(kept, &json!({}), &[]).await);
    unavailable(&convert(api, kept, kept_lock).await);
    let set =
        json!({ "owner": "me", "timeout": 30, "resources": [{ "resource": free }, { "resource": name("other") }] });
    unavailable(&api.send(Method::POST, "/api/v1/locks", &[], Some(set.to_string())).await);
    let batch = json!({ "operations": [
        { "op": "acquire", "resource": free, "owner": "me", "timeout": 30 },
        { "op": "release", "resource": freed, "token": token(freed_lock) },
    ] });
    let results = api.batch(&batch, &[]).await.json()["results"].clone();
    assert_eq!((&results[0]["status"], &results[1]["status"]), (&json!(503), &json!(204)), "{results}");
    assert_eq!(api.state(&free).await["held"], false);
    assert_eq!(api.state(kept).await["held"], true);
    let lock = api.extend(kept, token(kept_lock), 60).await;
    assert_eq!(lock.status, 200, "{lock:?}");
    assert_eq!(api.release(kept, token(&lock.json())).await.status, 204);
}

#[tokio::test]
async fn with_refuse_only_extends_and_releases_go_on_while_the_disk_is_full() {
    let switch = Switch::new();
    let replica = switch.trail.replica(&[REFUSE]).await;
    let api = &replica.api;
    let (kept, freed) = (name("kept"), name("freed"));
    let locks = [api.granted(&kept, "me", 30).await, api.granted(&freed, "me", 30).await];
    switch.trail.wait_for("grant", 2).await;
    switch.fails();
    refusing(api).await;
    only_extends_and_releases_go_on(api, [(&kept, &locks[0]), (&freed, &locks[1])]).await;
    let page = api.get("/metrics").await.text;
    assert!(page.contains("gorilla_ready 0"), "{page}");
    assert!(!page.contains("gorilla_audit_failures_total 0\n"), "{page}");
    switch.works();
    ready(api).await;
    // What was done meanwhile has records.
    switch.trail.wait_for("release", 2).await;
    switch.trail.wait_for("extend", 1).await;
    api.granted(&kept, "me", 30).await;
    switch.trail.wait_for("grant", 3).await;
    verified(&[switch.trail.file()]);
    let log = replica.log();
    assert_eq!(log.matches("the audit file can't be written").count(), 1, "{log}");
    assert_eq!(log.matches("the audit file can be written again").count(), 1, "{log}");
}

#[tokio::test]
async fn with_count_everything_goes_on_while_the_disk_is_full_and_a_break_does_not_wait() {
    let switch = Switch::new();
    let replica = switch.trail.replica(&[]).await;
    let api = &replica.api;
    switch.fails();
    eventually("it fails", PATIENCE, || async { replica.log().contains("the audit file can't be written") }).await;
    assert_eq!(api.get("/_ready").await.status, 200);
    let resource = name("goes-on");
    api.granted(&resource, "me", 30).await;
    let begun = std::time::Instant::now();
    assert_eq!(api.break_lock(&resource, &json!({}), &[]).await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1));
    switch.works();
    switch.trail.wait_for("break", 1).await;
    switch.trail.wait_for("grant", 1).await;
    verified(&[switch.trail.file()]);
}

#[tokio::test]
async fn a_waiter_whose_turn_comes_while_the_file_fails_gives_the_lock_back() {
    let switch = Switch::new();
    let replica = switch.trail.replica(&[REFUSE]).await;
    let (api, resource) = (replica.api.clone(), name("turn"));
    let held = api.granted(&resource, "me", 30).await;
    let waiter = {
        let (api, resource) = (api.clone(), resource.clone());
        let body = json!({ "owner": "you", "timeout": 30, "wait": 20 });
        tokio::spawn(async move { api.acquire_with(&resource, &body, &[]).await })
    };
    eventually("it waits", PATIENCE, || async { api.state(&resource).await["waiting"] == 1 }).await;
    switch.fails();
    refusing(&api).await;
    assert_eq!(api.release(&resource, token(&held)).await.status, 204);
    unavailable(&waiter.await.expect("no panic"));
    assert_eq!(api.state(&resource).await["held"], false);
    switch.works();
    let undone = switch.trail.wait_for_outcome("undone").await;
    assert_eq!((&undone["event"], &undone["owner"]), (&json!("grant"), &json!("you")));
}

#[tokio::test]
async fn a_disk_that_is_really_full_tears_no_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mount = |args: &[&str]| Command::new(args[0]).args(&args[1..]).arg(folder.path()).output();
    let mounted = mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs"]);
    if !mounted.is_ok_and(|output| output.status.success()) {
        // Only root may mount. The other tests of this file have a device that is always full.
        return;
    }
    struct Unmount<'a>(&'a std::path::Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
        }
    }
    let unmount = Unmount(folder.path());
    let (file, ballast) = (folder.path().join("audit.log"), folder.path().join("ballast"));
    fs::write(&ballast, vec![0; 32 * 1024]).expect("room");
    let settings = [("GORILLA__AUDIT__FILE", file.to_str().expect("UTF-8")), REFUSE];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    let mut held = Vec::new();
    loop {
        let resource = name("full");
        let answer = replica.api.acquire(&resource, "me", 60).await;
        if answer.status != 200 {
            unavailable(&answer);
            break;
        }
        held.push((resource, answer.json()));
        assert!(held.len() < 1000, "32 KiB are full by now");
    }
    for (resource, lock) in &held {
        assert_eq!(replica.api.release(resource, token(lock)).await.status, 204);
    }
    fs::remove_file(ballast).expect("a file that can be deleted");
    ready(&replica.api).await;
    drop(replica);
    let (code, out, err) = super::verify(&[file]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(held.len() > 20, "{}", held.len());
    drop(unmount);
}

#[tokio::test]
async fn a_fifo_that_nobody_reads_holds_nothing_up_and_a_reader_gets_whole_lines() {
    let trail = Trail::new();
    let made = Command::new("mkfifo").arg(trail.file()).status().expect("mkfifo runs");
    assert!(made.success());
    let file = trail.file();
    let settings = [("GORILLA__AUDIT__FILE", file.to_str().expect("UTF-8")), REFUSE];
    let replica = Replica::unready(&Redis::shared().url(), &settings);
    let api = &replica.api;
    eventually("it serves", PATIENCE, || async { api.get("/_health").await.status == 200 }).await;
    refusing(api).await;
    assert!(replica.log().contains("it is a FIFO that nobody reads"), "{}", replica.log());
    unavailable(&api.acquire(&name("fifo"), "me", 30).await);
    // A lock of another replica.
    let (other, resource) = (Replica::start().await, name("fifo"));
    let lock = other.api.granted(&resource, "me", 30).await;
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);

    let mut reader =
        fs::OpenOptions::new().read(true).custom_flags(0o4000).open(&file).expect("a FIFO that can be opened");
    ready(api).await;
    api.granted(&name("fifo"), "me", 30).await;
    let mut text = String::new();
    eventually("the reader has the records", PATIENCE, || {
        let mut bytes = [0; 64 * 1024];
        if let Ok(count) = reader.read(&mut bytes) {
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        let is_there = text.contains("\"grant\"");
        async move { is_there }
    })
    .await;
    let events: Vec<_> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record")["event"].clone()).collect();
    assert_eq!(events, ["reload", "release", "grant"], "{text}");
    // Without its reader it fails again, and releases still go on.
    drop(reader);
    let lock = other.api.granted(&resource, "me", 30).await;
    assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
    refusing(api).await;
}
