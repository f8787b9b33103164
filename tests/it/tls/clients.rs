//! The commands and the Rust client trust the authorities that their user names.

use std::{fs, process::Command, time::Duration};

use gorilla_client::{Client, Error};

use super::secure;
use crate::{
    cli::{Said, finish, gorilla},
    harness::{Authority, Process, Replica, Signal, eventually, name},
};

async fn said(replica: &Replica, args: &[&str], change: impl FnOnce(&mut Command)) -> Said {
    let mut command = gorilla(&format!("https://{}", replica.api.address), args);
    change(&mut command);
    finish(Process::spawn(&mut command).expect("gorilla starts")).await
}

#[tokio::test]
async fn a_command_trusts_the_authority_that_its_user_names() {
    let (replica, authority) = secure(&[]).await;
    let ca = authority.file("ca.pem").display().to_string();
    let resource = name("trusted");
    let ls = ["ls", resource.as_str()];
    for (args, variable) in [(vec!["ls", "--ca", &ca, &resource], None), (ls.to_vec(), Some(&ca))] {
        let said = said(&replica, &args, |command| {
            command.envs(variable.map(|ca| ("GORILLA_CA", ca)));
        })
        .await;
        assert_eq!(said.code, 0, "{said:?}");
    }
    // A path in the file counts from the folder of the file.
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("gorilla");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("own.pem"), authority.pem()).expect("a file");
    fs::write(folder.join("config.toml"), "ca = 'own.pem'").expect("a file");
    let listed = said(&replica, &ls, |command| {
        command.env("XDG_CONFIG_HOME", home.path());
    })
    .await;
    assert_eq!(listed.code, 0, "{listed:?}");
}

#[tokio::test]
async fn a_command_says_why_it_does_not_trust_the_server() {
    let (replica, _) = secure(&[]).await;
    let other = Authority::new();
    let ca = other.file("ca.pem").display().to_string();
    let untrusted = said(&replica, &["status", "--ca", &ca, "x"], |_| {}).await;
    assert!(untrusted.err.contains("does not trust the authority"), "{untrusted:?}");
    assert_eq!(untrusted.code, 69, "{untrusted:?}");

    let missing = said(&replica, &["ls", "--ca", "/nonexistent/ca.pem"], |_| {}).await;
    assert!(missing.code == 78 && missing.err.contains("/nonexistent/ca.pem can't be read"), "{missing:?}");
    let empty = said(&replica, &["ls", "--ca", "/dev/null"], |_| {}).await;
    assert!(empty.code == 64 && empty.err.contains("no certificate in PEM"), "{empty:?}");
}

#[tokio::test]
async fn a_command_says_what_is_wrong_with_a_server_that_presents_the_certificate_of_an_authority() {
    let (replica, authority) = secure(&[]).await;
    authority.install(&authority.issue_authority(&["127.0.0.1"]));
    replica.process.signal(Signal::HUP);
    let ca = authority.file("ca.pem").display().to_string();
    eventually("the replica presents the other certificate", Duration::from_secs(10), || async {
        let refused = said(&replica, &["status", "--ca", &ca, "x"], |_| {}).await;
        refused.code == 69 && refused.err.contains("give it one with basicConstraints CA:FALSE")
    })
    .await;
}

#[tokio::test]
async fn the_rust_client_trusts_the_authorities_that_it_is_given_and_no_other() {
    let (replica, authority) = secure(&[]).await;
    let url = format!("https://{}", replica.api.address);
    let client = |pem: String| Client::builder(&url).certificate_authorities(pem).build();
    let resource = name("over-tls");
    let lock = client(authority.pem()).expect("an authority").lock(&resource).acquire().await.expect("it is free");
    lock.release().await.expect("it is held");

    let stranger = client(Authority::new().pem()).expect("an authority");
    let refused = stranger.state(&resource).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("does not trust")), "{refused:?}");
    for wrong in [String::new(), "no PEM".into(), authority.issue(&["127.0.0.1"]).key] {
        let refused = client(wrong);
        assert!(matches!(&refused, Err(Error::Refused { code, .. }) if code == "invalid_ca"), "{refused:?}");
    }
}

#[tokio::test]
async fn the_health_check_of_a_container_works_with_https() {
    let (replica, authority) = secure(&[]).await;
    let check = |address: String| {
        let mut command = gorilla("", &["healthcheck"]);
        command.envs(authority.settings()).env("GORILLA__SERVER__LISTEN", address);
        async move { finish(Process::spawn(&mut command).expect("gorilla starts")).await }
    };
    let healthy = check(replica.api.address.clone()).await;
    assert_eq!((healthy.code, healthy.err.as_str()), (0, ""), "{healthy:?}");
    let nobody = check("127.0.0.1:1".into()).await;
    assert!(nobody.code != 0 && nobody.err.contains("https://127.0.0.1:1/_health"), "{nobody:?}");
}
