//! The chain goes on after a replica ended, in whichever way.

use std::{fs, io::Write};

use super::{Trail, verified, verify};
use crate::harness::{Signal, eventually, name};

#[tokio::test]
async fn the_chain_goes_on_after_a_restart_and_after_a_kill() {
    let trail = Trail::new();
    for (start, signal) in [Signal::INT, Signal::KILL, Signal::INT].into_iter().enumerate() {
        let mut replica = trail.replica(&[]).await;
        replica.api.granted(&name("restarted"), "me", 30).await;
        trail.wait_for("grant", start + 1).await;
        replica.process.signal(signal);
        replica.process.child.wait().expect("it ends");
    }
    // The killed one has no record of its end.
    assert_eq!(verified(&[trail.file()]), 8);
}

#[tokio::test]
async fn a_torn_last_line_is_told_and_the_chain_goes_on_from_the_last_whole_line() {
    let trail = Trail::new();
    let mut replica = trail.replica(&[]).await;
    replica.process.signal(Signal::INT);
    replica.process.child.wait().expect("it ends");
    let torn = r#"{"v":1,"time":"2026-11-28T"#;
    let mut file = fs::OpenOptions::new().append(true).open(trail.file()).expect("the file");
    file.write_all(torn.as_bytes()).expect("it can be written");
    let (code, out, _) = verify(&[trail.file()]);
    assert!(code == Some(0) && out.contains("the last line is torn"), "{out}");
    let _replica = trail.replica(&[]).await;
    eventually("the start has a record", super::PATIENCE, || async {
        fs::read_to_string(trail.file()).is_ok_and(|text| text.matches("\"started\"").count() == 2)
    })
    .await;
    let text = fs::read_to_string(trail.file()).expect("the file");
    assert!(text.contains(&format!("{torn}\n{{")), "{text}");
    assert!(text.contains(&format!("the line before has {} bytes and no end", torn.len())), "{text}");
    assert_eq!(verified(&[trail.file()]), 4);
}

#[tokio::test]
async fn two_replicas_never_write_one_file() {
    let trail = Trail::new();
    let mut first = trail.replica(&[]).await;
    let second = trail.replica(&[]).await;
    second.api.granted(&name("second"), "me", 30).await;
    assert!(second.log().contains("another process writes to it"), "{}", second.log());
    first.process.signal(Signal::INT);
    first.process.child.wait().expect("it ends");
    trail.wait_for("grant", 1).await;
    // Both are in one chain: started, ended, started, grant.
    assert_eq!(verified(&[trail.file()]), 4);
}
