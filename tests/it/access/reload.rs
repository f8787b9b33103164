//! The access file is read again while the replica serves.

use std::{fs, time::Duration};

use super::{everything, guarded};
use crate::harness::{AccessFile, Api, Key, Replica, Signal, eventually, key_entry, lock_path};

/// Longer than a replica takes to look at the file again by itself.
const LOOK: Duration = Duration::from_secs(12);

fn file_of(key: &Key) -> String {
    everything("all") + &key_entry("ops", "all", key, "")
}

async fn is_let_in(api: &Api) -> bool {
    api.get(&lock_path("reloaded")).await.status == 200
}

async fn is_reloaded(replica: &Replica, new: &Key) {
    let caller = replica.api.with_key(new);
    eventually("the new key is let in", LOOK, || async { is_let_in(&caller).await }).await;
}

#[tokio::test]
async fn a_key_is_exchanged_by_a_new_file_and_a_signal_without_a_restart() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let file = AccessFile::new(&file_of(&old));
    let replica = guarded(&file).await;
    let before = replica.api.with_key(&old);
    assert!(is_let_in(&before).await);
    file.write(&file_of(&new));
    let begun = std::time::Instant::now();
    replica.process.signal(Signal::HUP);
    is_reloaded(&replica, &new).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "by the signal, not by the look at the content");
    assert!(!is_let_in(&before).await);
    assert!(replica.log().contains("the access file was reloaded"), "{}", replica.log());
}

#[tokio::test]
async fn a_folder_that_is_exchanged_as_kubernetes_does_it_is_noticed() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (version, key) in [("v1", &old), ("v2", &new)] {
        fs::create_dir(at(version)).expect("a folder");
        fs::write(at(version).join("access.toml"), file_of(key)).expect("a file");
    }
    std::os::unix::fs::symlink("v1", at("..data")).expect("a link");
    std::os::unix::fs::symlink("..data/access.toml", at("access.toml")).expect("a link");
    let path = at("access.toml");
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8"))];
    let replica = Replica::with(&crate::harness::Redis::shared().url(), &settings).await;
    assert!(is_let_in(&replica.api.with_key(&old)).await);
    std::os::unix::fs::symlink("v2", at("..new")).expect("a link");
    fs::rename(at("..new"), at("..data")).expect("a link that can be replaced");
    is_reloaded(&replica, &new).await;
    assert!(!is_let_in(&replica.api.with_key(&old)).await);
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing_and_is_reported() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let file = AccessFile::new(&file_of(&old));
    let replica = guarded(&file).await;
    let caller = replica.api.with_key(&old);
    let half = &file_of(&new)[..file_of(&new).len() - 30];
    for (wrong, says) in [
        (half, "not valid TOML"),
        ("", "is empty"),
        ("[[key]]\nname = \"ops\"\nhashes = []\nrole = \"nobody\"\n", "nobody"),
    ] {
        let before = replica.log().len();
        file.write(wrong);
        replica.process.signal(Signal::HUP);
        // Each problem is a line of its own.
        let reported = |line: &str| line.contains("the access file is wrong, so") && line.contains(says);
        eventually(says, LOOK, || async { replica.log()[before..].lines().any(reported) }).await;
        assert!(is_let_in(&caller).await, "{wrong}");
    }
    // A directory in its place, too.
    fs::remove_file(file.path()).expect("the file is there");
    fs::create_dir(file.path()).expect("a free name");
    replica.process.signal(Signal::HUP);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_let_in(&caller).await);
    fs::remove_dir(file.path()).expect("an empty folder");
    file.write(&file_of(&new));
    replica.process.signal(Signal::HUP);
    is_reloaded(&replica, &new).await;
}
