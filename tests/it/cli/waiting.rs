//! `gorilla lock` while somebody else has the lock.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{Said, finish, gorilla, gorilla_with_signals, run};
use crate::harness::{Api, Mode, Process, Proxy, Redis, Replica, eventually, name, token};

fn start(url: &str, args: &[&str]) -> Process {
    Process::spawn(&mut gorilla(url, args)).expect("gorilla starts")
}

async fn waiting(api: &Api, resource: &str, count: u64) {
    eventually(&format!("{count} wait"), Duration::from_secs(10), || async {
        api.state(resource).await["waiting"] == count
    })
    .await;
}

#[tokio::test]
async fn not_acquired_is_75_or_what_one_likes_and_says_who_holds_it_since_when() {
    let (api, resource) = (Replica::shared().await, name("held"));
    let url = format!("http://{}", api.address);
    let lock = api.granted(&resource, "somebody", 30).await;
    let since = lock["createdAt"].as_str().expect("a time");
    let told = |said: &Said| said.out.is_empty() && said.err.contains("\"somebody\"") && said.err.contains(since);
    let begun = Instant::now();
    let said = run(&url, &["lock", &resource, "-n", "--", "echo", "ran"]).await;
    assert!(said.code == 75 && told(&said), "{said:?}");
    let said = run(&url, &["lock", &resource, "-n", "-E", "0", "--", "echo", "ran"]).await;
    assert!(said.code == 0 && told(&said), "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "-n waits");
    // For cron, which mails whatever is said.
    let said = run(&url, &["lock", &resource, "-nq", "-E", "0", "--", "echo", "ran"]).await;
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let said = run(&url, &["lock", &resource, "--wait", "1500ms", "-E", "9", "--", "echo", "ran"]).await;
    assert!(said.code == 9 && told(&said) && said.err.contains("position 1 of 1"), "{said:?}");
    let said = run(&url, &["lock", &resource, "-n", "--json", "--", "echo", "ran"]).await;
    let event: Value = serde_json::from_str(&said.err).expect("one line of JSON");
    let facts = (&event["event"], &event["owner"], &event["createdAt"], &event["fence"]);
    assert_eq!(facts, (&"not_acquired".into(), &"somebody".into(), &lock["createdAt"], &lock["fence"]));
}

#[tokio::test]
async fn it_waits_in_the_queue_and_gets_the_lock_in_its_turn() {
    let (api, resource) = (Replica::shared().await, name("turn"));
    let url = format!("http://{}", api.address);
    let held = api.granted(&resource, "holder", 60).await;
    let first = start(&url, &["lock", &resource, "--owner", "first", "--", "echo", "ran"]);
    waiting(&api, &resource, 1).await;
    let second = start(&url, &["lock", &resource, "--owner", "second", "-q", "--", "echo", "ran"]);
    waiting(&api, &resource, 2).await;
    // The first piece of its wait is over, and it has said so.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    api.release(&resource, token(&held)).await;
    let (first, second) = (finish(first).await, finish(second).await);
    assert_eq!((first.code, first.out.as_str(), second.code, second.out.as_str()), (0, "ran\n", 0, "ran\n"));
    assert!(first.err.contains("held by \"holder\"") && first.err.contains("acquired"), "{first:?}");
    assert_eq!(second.err, "");
}

#[tokio::test]
async fn an_urgent_command_comes_first_and_of_those_that_replace_each_other_the_newest_alone_runs() {
    let (api, resource) = (Replica::shared().await, name("ranks"));
    let url = format!("http://{}", api.address);
    let held = api.granted(&resource, "holder", 60).await;
    let args = |options: &[&'static str]| -> Vec<String> {
        let of_options = options.iter().map(ToString::to_string);
        ["lock".into(), resource.clone()]
            .into_iter()
            .chain(of_options)
            .chain(["--", "date", "+%s%N"].map(String::from))
            .collect()
    };
    let start = |options: &[&'static str]| {
        let args = args(options);
        start(&url, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let old = start(&["--replaces", "main", "-E", "9", "--json"]);
    waiting(&api, &resource, 1).await;
    let new = start(&["--replaces", "main"]);
    let said = finish(old).await;
    assert!(said.code == 9 && said.out.is_empty(), "{said:?}");
    let last: Value = serde_json::from_str(said.err.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"], "not_acquired");
    assert!(last["reason"].as_str().expect("a reason").contains("in place of this one"), "{last}");
    waiting(&api, &resource, 1).await;
    let urgent = start(&["--headstart", "1m"]);
    waiting(&api, &resource, 2).await;
    api.release(&resource, token(&held)).await;
    let (new, urgent) = (finish(new).await, finish(urgent).await);
    assert_eq!((new.code, urgent.code), (0, 0), "{new:?} {urgent:?}");
    assert!(urgent.out < new.out, "the urgent command came second: {urgent:?} {new:?}");
    for wrong in [&["--headstart", "1s", "-n"][..], &["--replaces", ""], &["other", "--replaces", "main"]] {
        let args = [&["lock", &resource][..], wrong, &["--", "echo", "ran"]].concat();
        let said = run(&url, &args).await;
        assert!(said.code == 64 && said.out.is_empty(), "{wrong:?}: {said:?}");
    }
}

#[tokio::test]
async fn it_keeps_its_place_while_the_server_is_away_and_while_replicas_restart() {
    let redis = Redis::start(&[]);
    let mut replica = Replica::on(&redis).await;
    let other = Replica::on(&redis).await;
    let link = Proxy::to_replica(&replica.api).await;
    let resource = name("reconnect");
    let held = other.api.granted(&resource, "holder", 60).await;
    let first = start(&link.http_url(), &["lock", &resource, "--owner", "first", "--", "date", "+%s%N"]);
    waiting(&other.api, &resource, 1).await;
    let other_url = format!("http://{}", other.api.address);
    let second = start(&other_url, &["lock", &resource, "--owner", "second", "--", "date", "+%s%N"]);
    waiting(&other.api, &resource, 2).await;
    link.sever();
    waiting(&other.api, &resource, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Another replica comes back at the same address.
    replica.process.signal(Signal::TERM);
    replica.process.child.wait().expect("the replica ends");
    let again = Replica::with(&redis.url(), &[("GORILLA__SERVER__DRAIN_DELAY", "0s")]).await;
    link.lead_to(&again.api);
    link.set(Mode::Pass);
    waiting(&other.api, &resource, 2).await;
    other.api.release(&resource, token(&held)).await;
    let (first, second) = (finish(first).await, finish(second).await);
    assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
    assert!(first.out < second.out, "the second was first: {first:?} {second:?}");
    assert!(first.err.contains("trying again"), "{first:?}");
}

#[tokio::test]
async fn who_is_told_to_end_while_waiting_leaves_the_queue() {
    let (api, resource) = (Replica::shared().await, name("given-up"));
    let url = format!("http://{}", api.address);
    let _held = api.granted(&resource, "holder", 60).await;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let waiter = start(&url, &["lock", &resource, "--", "echo", "ran"]);
        waiting(&api, &resource, 1).await;
        waiter.signal(signal);
        let said = finish(waiter).await;
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
        waiting(&api, &resource, 0).await;
    }
}

#[tokio::test]
async fn who_was_started_with_a_signal_ignored_goes_on_waiting_when_it_comes() {
    let (api, resource) = (Replica::shared().await, name("nohup"));
    let url = format!("http://{}", api.address);
    let held = api.granted(&resource, "holder", 60).await;
    let mut command = gorilla_with_signals("--ignore-signal=HUP", &url, &["lock", &resource, "--", "echo", "ran"]);
    let waiter = Process::spawn(&mut command).expect("gorilla starts");
    waiting(&api, &resource, 1).await;
    waiter.signal(Signal::HUP);
    api.release(&resource, token(&held)).await;
    let said = finish(waiter).await;
    assert_eq!((said.code, said.out.as_str()), (0, "ran\n"), "{said:?}");
}

/// Runs a `gorilla lock` that waits for a second, for a server that does not answer. How long it took to give up.
async fn gives_up(url: &str) -> Duration {
    let begun = Instant::now();
    let said = run(url, &["lock", "anything", "--wait", "1s", "--", "echo", "ran"]).await;
    assert_eq!((said.code, said.out.as_str()), (69, ""), "{said:?}");
    assert!(said.err.contains(url), "{said:?}");
    begun.elapsed()
}

#[tokio::test]
async fn the_wait_bounds_how_long_a_server_is_tried_that_is_not_there() {
    let took = gives_up("http://127.0.0.1:1").await;
    assert!(took < Duration::from_millis(2500), "{took:?}");
}

#[tokio::test]
async fn the_wait_bounds_how_long_a_server_is_tried_that_lets_connections_hang() {
    // The kernel leaves connections unanswered that find the queue of a listener full.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let mut connected = Vec::new();
    while let Ok(connection) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        connected.push(connection.expect("a connection"));
    }
    let took = gives_up(&format!("http://{address}")).await;
    assert!(took < Duration::from_millis(3500), "{took:?}");
}

#[tokio::test]
async fn the_wait_bounds_how_long_a_server_is_tried_that_answers_nothing() {
    let link = Proxy::to_replica(&Replica::shared().await).await;
    link.set(Mode::SwallowRequests);
    let took = gives_up(&link.http_url()).await;
    assert!(took < Duration::from_millis(3500), "{took:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_69_after_a_few_attempts() {
    let begun = Instant::now();
    let said = run("http://127.0.0.1:1", &["lock", "anything", "-n", "--", "echo", "ran"]).await;
    assert_eq!((said.code, said.out.as_str()), (69, ""), "{said:?}");
    assert!(said.err.contains("http://127.0.0.1:1 can't be reached"), "{said:?}");
    assert!((2..15).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
