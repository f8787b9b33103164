//! Who may do what: API keys, and what the access file says of them.

mod flood;
mod identities;
mod keys;
mod lists;
mod matrix;
mod outside;
mod quotas;
mod reload;
mod takers;
mod waiting;

use crate::harness::{AccessFile, Api, Key, Redis, Replica, key_entry, role};

/// A replica on the shared Redis that demands keys.
async fn guarded(file: &AccessFile) -> Replica {
    guarded_with(file, &[]).await
}

async fn guarded_with(file: &AccessFile, settings: &[(&str, &str)]) -> Replica {
    let path = file.path();
    let mut all = vec![("GORILLA__AUTH__FILE", path.to_str().expect("a path of UTF-8"))];
    all.extend_from_slice(settings);
    Replica::with(&Redis::shared().url(), &all).await
}

/// A role that may do all with all resources.
pub fn everything(name: &str) -> String {
    let verbs = r#"["acquire","wait","extend","release","inspect","list","break","limit","events","metrics"]"#;
    role(name, &format!("{{prefix=\"\", verbs={verbs}}}"))
}

/// A replica with keys that each may do all, and a client for each key.
async fn with_callers<const N: usize>(names: [&str; N]) -> (Replica, AccessFile, [Api; N]) {
    let keys = names.map(Key::new);
    let entries = names.iter().zip(&keys).map(|(name, key)| key_entry(name, "all", key, ""));
    let file = AccessFile::new(&(everything("all") + &entries.collect::<String>()));
    let replica = guarded(&file).await;
    let clients = keys.map(|key| replica.api.with_key(&key));
    (replica, file, clients)
}
