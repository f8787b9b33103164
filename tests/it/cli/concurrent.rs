//! Many `gorilla lock` run at once.

use std::{fs, time::Duration};

use super::{finish, gorilla};
use crate::harness::{Process, Redis, Replica, eventually, name};

#[tokio::test]
async fn twenty_that_append_to_a_file_never_interleave() {
    let redis = Redis::start(&[]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let (folder, resource) = (tempfile::tempdir().expect("a folder"), name("append"));
    let file = folder.path().join("file");
    let script = r#"echo "begin $GORILLA_LOCK_FENCE" >> "$1"; sleep 0.05; echo "end $GORILLA_LOCK_FENCE" >> "$1""#;
    let file_name = file.to_str().expect("a plain name");
    let processes: Vec<_> = (0..20)
        .map(|index| {
            let url = format!("http://{}", replicas[index % 2].api.address);
            let args = ["lock", &resource, "-q", "--", "sh", "-c", script, "sh", file_name];
            Process::spawn(&mut gorilla(&url, &args)).expect("gorilla starts")
        })
        .collect();
    for process in processes {
        let said = finish(process).await;
        assert_eq!((said.code, said.err.as_str()), (0, ""));
    }
    let text = fs::read_to_string(&file).expect("the file");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 40);
    let mut last = 0;
    for pair in lines.chunks(2) {
        let fence = pair[0].strip_prefix("begin ").expect("a begin");
        assert_eq!(pair[1], format!("end {fence}"), "{text}");
        let fence: u64 = fence.parse().expect("a number");
        assert!(fence > last, "fences grow: {text}");
        last = fence;
    }
}

#[tokio::test]
async fn of_fifty_that_start_at_once_and_do_not_wait_one_runs() {
    let (api, folder, resource) = (Replica::shared().await, tempfile::tempdir().expect("a folder"), name("cron"));
    let url = format!("http://{}", api.address);
    // It runs until all others have been refused.
    let script = r#"echo ran; while ! [ -e "$1" ]; do sleep 0.05; done"#;
    let done = folder.path().join("done");
    let args = ["lock", &resource, "-n", "-q", "--", "sh", "-c", script, "sh", done.to_str().expect("a plain name")];
    let mut processes: Vec<_> =
        (0..50).map(|_| Process::spawn(&mut gorilla(&url, &args)).expect("gorilla starts")).collect();
    let mut running = Vec::new();
    eventually("all but one are refused", Duration::from_secs(60), || {
        running = processes.iter_mut().map(|process| process.child.try_wait().expect("a child").is_none()).collect();
        let count = running.iter().filter(|&&runs| runs).count();
        async move { count == 1 }
    })
    .await;
    fs::write(&done, "").expect("a file");
    let mut codes = Vec::new();
    for (process, runs) in processes.into_iter().zip(running) {
        let said = finish(process).await;
        assert_eq!((said.code, said.out.as_str()), if runs { (0, "ran\n") } else { (75, "") }, "{said:?}");
        codes.push(said.code);
    }
    assert_eq!(codes.len(), 50);
}
