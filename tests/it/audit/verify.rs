//! `gorilla audit verify` finds what was changed in files of a real replica.

use std::fs;

use super::{Trail, verified, verify};
use crate::harness::{name, token};

#[tokio::test]
async fn a_changed_removed_or_moved_line_is_found_and_named() {
    let trail = Trail::new();
    let replica = trail.replica(&[]).await;
    for _ in 0..5 {
        let resource = name("verified");
        let lock = replica.api.granted(&resource, "worker-7", 30).await;
        assert_eq!(replica.api.release(&resource, token(&lock)).await.status, 204);
    }
    trail.wait_for("release", 5).await;
    assert_eq!(verified(&[trail.file()]), 11);
    let text = fs::read_to_string(trail.file()).expect("the file");
    let lines: Vec<_> = text.lines().map(String::from).collect();
    let copy = trail.path("copy.log");
    let wrong = |lines: &[String]| {
        fs::write(&copy, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("a copy");
        let (code, out, err) = verify(std::slice::from_ref(&copy));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        err
    };
    let copied = copy.display().to_string();

    let mut changed = lines.clone();
    changed[3] = changed[3].replace("worker-7", "worker-8");
    assert!(wrong(&changed).contains(&format!("{copied}:5: prev is not the SHA-256")), "{}", wrong(&changed));

    let mut removed = lines.clone();
    removed.remove(3);
    assert!(wrong(&removed).contains(&format!("{copied}:4: seq is 5 after 3: lines are missing")));

    let mut moved = lines.clone();
    moved.swap(3, 4);
    assert!(wrong(&moved).contains(&format!("{copied}:4: seq is 5 after 3")));

    let mut other = lines;
    other[6] = "{}".into();
    assert!(wrong(&other).contains(&format!("{copied}:7: the line is not a record")));

    let (code, _, err) = verify(&[trail.path("nowhere.log")]);
    assert_eq!(code, Some(1));
    assert!(err.contains("nowhere.log can't be read"), "{err}");
}

#[test]
fn an_audit_file_that_could_never_be_opened_is_refused_at_once() {
    let trail = Trail::new();
    for (file, says) in [(trail.path("nowhere/audit.log"), "in a folder that exists"), (trail.path(""), "is a folder")]
    {
        let output = std::process::Command::new(crate::harness::Replica::program())
            .args(["config", "check"])
            .env("GORILLA__AUDIT__FILE", &file)
            .output()
            .expect("gorilla runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{err}");
        assert!(err.contains("audit.file") && err.contains(says), "{err}");
    }
}
