//! A new certificate comes into force without a restart, and a wrong one does not.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Output},
    time::Duration,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::secure;
use crate::{
    harness::{Authority, Connection, Redis, Replica, Signal, eventually, name, token},
    queue::{granted, queued},
};

/// Within this a replica acts on a signal.
const SOON: Duration = Duration::from_secs(3);
/// Within this a replica looks at its files by itself: every 5 s.
const LOOKED: Duration = Duration::from_secs(15);
const REFUSED: &str = "read again and wrong; what was in force stays in force";

/// Waits until a replica shows this certificate.
async fn shows(replica: &Replica, der: &[u8], within: Duration) {
    eventually("the replica shows the certificate", within, || async { replica.api.certificate().await == der }).await;
}

/// Asks on an open connection.
async fn ask(connection: &mut Box<dyn Connection>) {
    connection.write_all(b"GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("an open connection");
    connection.flush().await.expect("an open connection");
    let mut answer = String::new();
    while !answer.ends_with('}') {
        let mut piece = [0; 1024];
        let length = connection.read(&mut piece).await.expect("an open connection");
        assert!(length > 0, "closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_hangup_brings_a_new_certificate_into_force_and_drops_no_connection() {
    let (replica, authority) = secure(&[]).await;
    let (api, resource) = (&replica.api, name("reload"));
    let held = api.granted(&resource, "holder", 60).await;
    let waiter = queued(Redis::shared(), api, &resource, "waiter", 30.0, None).await;
    let mut open = api.connection().await;
    ask(&mut open).await;

    for _ in 0..3 {
        let new = authority.issue(&["127.0.0.1"]);
        assert_ne!(api.certificate().await, new.der);
        authority.install(&new);
        replica.process.signal(Signal::HUP);
        shows(&replica, &new.der, SOON).await;
        ask(&mut open).await;
    }
    api.release(&resource, token(&held)).await;
    assert_eq!(granted(waiter).await["owner"], "waiter");
}

#[tokio::test]
async fn a_wrong_file_leaves_the_certificate_in_force_and_the_log_says_why() {
    let (replica, authority) = secure(&[]).await;
    let (old, other) = (authority.issue(&["127.0.0.1"]), authority.issue(&["127.0.0.1"]));
    authority.install(&old);
    replica.process.signal(Signal::HUP);
    shows(&replica, &old.der, SOON).await;

    let half = &other.certificate[..other.certificate.len() / 2];
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, reason) in [
        ("", other.key.as_str(), "server.pem has no certificate in PEM"),
        ("no PEM", &other.key, "server.pem has no certificate in PEM"),
        (half, &other.key, "server.pem"),
        (broken, &other.key, "the first certificate in"),
        (&other.certificate, "", "server.key has no private key in PEM"),
        (&other.certificate, &old.key, "is not that of the first certificate in"),
    ] {
        fs::write(authority.file("server.pem"), certificate).expect("the file can be written");
        fs::write(authority.file("server.key"), key).expect("the file can be written");
        let before = replica.log().matches(REFUSED).count();
        replica.process.signal(Signal::HUP);
        eventually("the log says why", SOON, || async {
            let log = replica.log();
            log.matches(REFUSED).count() > before
                && log.lines().rfind(|line| line.contains(REFUSED)).is_some_and(|line| line.contains(reason))
        })
        .await;
        assert_eq!(replica.api.certificate().await, old.der, "{reason}");
    }
    assert!(!replica.log().contains(&other.key[40..80]), "the log has a part of the key");

    fs::remove_file(authority.file("server.pem")).expect("a file");
    fs::create_dir(authority.file("server.pem")).expect("a folder");
    replica.process.signal(Signal::HUP);
    eventually("the log says why", SOON, || async { replica.log().contains("it is not a file") }).await;
    assert_eq!(replica.api.certificate().await, old.der);
    fs::remove_dir(authority.file("server.pem")).expect("a folder");

    authority.install(&other);
    replica.process.signal(Signal::HUP);
    shows(&replica, &other.der, SOON).await;
}

#[tokio::test]
async fn a_hangup_with_nothing_new_says_so() {
    let (replica, _authority) = secure(&[]).await;
    replica.process.signal(Signal::HUP);
    eventually("the log says so", SOON, || async { replica.log().contains("read again and unchanged") }).await;
}

#[tokio::test]
async fn a_link_that_kubernetes_changes_is_noticed_without_a_signal() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(&["127.0.0.1"]), authority.issue(&["127.0.0.1"]));
    // `server.pem` leads to `..data/server.pem`, and `..data` to a folder of this version.
    for (version, issued) in [("..1", &first), ("..2", &second)] {
        fs::create_dir(authority.file(version)).expect("a folder");
        fs::write(authority.file(version).join("server.pem"), &issued.certificate).expect("the file can be written");
        fs::write(authority.file(version).join("server.key"), &issued.key).expect("the file can be written");
    }
    symlink("..1", authority.file("..data")).expect("a link");
    for name in ["server.pem", "server.key"] {
        symlink(format!("..data/{name}"), authority.file(name)).expect("a link");
    }
    let replica = Replica::secure(&Redis::shared().url(), &authority, &[]).await;
    shows(&replica, &first.der, SOON).await;
    symlink("..2", authority.file("..new")).expect("a link");
    fs::rename(authority.file("..new"), authority.file("..data")).expect("a link can be replaced");
    shows(&replica, &second.der, LOOKED).await;
}

/// Runs a command of `gorilla` with an authority's files as settings.
fn gorilla(args: &[&str], settings: &[(&str, String)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gorilla"));
    command.args(args).env_clear().envs(settings.iter().map(|(name, value)| (*name, value)));
    command.env("GORILLA__SERVER__LISTEN", "127.0.0.1:0").output().expect("gorilla runs")
}

#[test]
fn wrong_files_are_told_before_a_replica_serves() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
    let settings = authority.settings();
    let said = |args: &[&str], settings: &[(&str, String)]| {
        let output = gorilla(args, settings);
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    for command in [&["serve"][..], &["config", "check"]] {
        let (code, error) = said(command, &settings);
        assert_eq!(code, Some(78), "{error}");
        assert!(error.contains("server.pem can't be read: No such file or directory"), "{error}");
    }
    authority.install(&one);
    fs::write(authority.file("server.key"), &other.key).expect("the file can be written");
    let (code, error) = said(&["config", "check"], &settings);
    assert!(code == Some(78) && error.contains("is not that of the first certificate in"), "{error}");
    let (code, error) = said(&["config", "check"], &settings[..1]);
    assert!(code == Some(78) && error.contains("server.tls_key must be set too"), "{error}");
    let (code, error) = said(&["config", "check"], &settings[1..]);
    assert!(code == Some(78) && error.contains("server.tls_certificate must be set too"), "{error}");
    authority.install(&one);
    assert_eq!(said(&["config", "check"], &settings), (Some(0), String::new()));
}
