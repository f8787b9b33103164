//! Everything at once, at random, for as long as `GORILLA_SOAK_SECONDS` says: `make soak`. In `make test` it is a short
//! while.

use std::{
    cell::RefCell,
    collections::HashMap,
    env, fs,
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::queue;
use crate::harness::{Answer, Api, Redis, Replica, eventually, lock_path, name, token};

const SECONDS: &str = "GORILLA_SOAK_SECONDS";
const CLIENTS: u64 = 48;
const LOCKS: u64 = 3;
/// What a replica may grow by while the load stays the same; a leak of a kilobyte a request would be far more.
const GROWTH: u64 = 24 * 1024 * 1024;

/// What the clients of one lock know together: they run on one thread.
#[derive(Default)]
struct Register {
    last_fence: u64,
    /// Until when the present holder may count on the lock, if it has not released it.
    held_until: Option<Instant>,
    grants: u64,
    timeouts: u64,
    hang_ups: u64,
}

#[tokio::test]
async fn a_soak_breaks_neither_exclusion_nor_leaves_anything_behind() {
    let seconds = env::var(SECONDS).map_or(6, |seconds| seconds.parse().expect("a number of seconds"));
    let redis = Redis::start(&["--appendonly", "no"]);
    let url = redis.url();
    let settings = [("GORILLA__IDEMPOTENCY__WINDOW", "2s"), ("GORILLA__LOG__REQUESTS", "false")];
    let replicas = join_all((0..3).map(|_| Replica::with(&url, &settings))).await;
    let locks: HashMap<String, RefCell<Register>> = (0..LOCKS).map(|_| (name("soak"), RefCell::default())).collect();
    let names: Vec<_> = locks.keys().cloned().collect();
    let pids: Vec<_> = replicas.iter().map(|replica| replica.process.child.id()).collect();
    let begun = Instant::now();
    let (warm, end) = (begun + Duration::from_secs(seconds) / 3, begun + Duration::from_secs(seconds));

    // Fewer grants fit into the time where a machine does much else. Then it takes longer, but not for ever.
    let (enough, at_last) = (seconds * 2, end + 9 * Duration::from_secs(seconds));
    let goes_on = |grants: u64| Instant::now() < if grants > enough { end } else { at_last };

    let clients = (0..CLIENTS).map(|seed| {
        let (resource, register) = locks.get_key_value(&names[(seed % LOCKS) as usize]).expect("a lock");
        client(Rng::with_seed(seed), &replicas, resource, register, goes_on)
    });
    let memory = async {
        tokio::time::sleep_until(warm.into()).await;
        let before: Vec<_> = pids.iter().map(|&pid| resident(pid)).collect();
        tokio::time::sleep_until(end.into()).await;
        (before, pids.iter().map(|&pid| resident(pid)).collect::<Vec<_>>())
    };
    let (_, (before, after)) = tokio::join!(join_all(clients), memory);

    for (before, after) in before.iter().zip(&after) {
        assert!(after.saturating_sub(*before) < GROWTH, "resident memory grew: {before:?} to {after:?}");
    }
    for (resource, register) in &locks {
        let Register { grants, timeouts, hang_ups, .. } = *register.borrow();
        println!("{resource}: {grants} grants, {timeouts} waits in vain, {hang_ups} hang-ups");
        assert!(grants > enough && timeouts > 0 && hang_ups > 0);
        // The last act of a client may have been to hang up, which takes effect in the background.
        eventually("nobody is left in the queue", Duration::from_secs(15), || async {
            queue(&redis, resource).is_empty()
        })
        .await;
    }
    println!("resident memory in bytes: {before:?}, then {after:?}");
    eventually("all keys of locks but the fences are gone", Duration::from_secs(15), || async {
        redis.cli(&["KEYS", "gorilla:{*"]).lines().count() as u64 == LOCKS
    })
    .await;
}

/// `goes_on` says whether, after so many grants.
async fn client(
    mut rng: Rng,
    replicas: &[Replica],
    resource: &str,
    register: &RefCell<Register>,
    goes_on: impl Fn(u64) -> bool,
) {
    while goes_on(register.borrow().grants) {
        let key = rng.u64(..).to_string();
        let lease = [0.3, 1.0, 5.0][rng.usize(..3)];
        let (asked, mut pieces) = (Instant::now(), 1 + rng.usize(..3));
        let answer = loop {
            // Connections of its own, so that hanging up closes them.
            let api = Api::at(&replicas[rng.usize(..replicas.len())].api.address);
            let wait = if rng.u8(..8) == 0 { 0.0 } else { rng.f64() * 0.8 };
            let patience =
                if rng.u8(..5) == 0 { Duration::from_secs_f64(rng.f64() * 0.4) } else { Duration::from_secs(20) };
            let asked = ask(&api, resource, lease, wait, &key);
            let answer = tokio::time::timeout(patience, asked).await.ok();
            pieces -= 1;
            match &answer {
                None => register.borrow_mut().hang_ups += 1,
                Some(answer) if answer.status == 200 => break Some((api, answer.clone())),
                Some(answer) => {
                    assert!(
                        ["wait_timeout", "lock_held", "lock_reserved", "lock_gone"].contains(&answer.code().as_str()),
                        "{answer:?}"
                    );
                    register.borrow_mut().timeouts += 1;
                }
            }
            if pieces == 0 {
                break None;
            }
        };
        let Some((api, answer)) = answer else { continue };
        let sure = asked + Duration::from_secs_f64(lease);
        hold(&mut rng, &api, resource, &answer, register, sure).await;
    }
}

async fn ask(api: &Api, resource: &str, lease: f64, wait: f64, key: &str) -> Answer {
    let body = json!({ "owner": key, "timeout": lease, "wait": wait }).to_string();
    api.send(Method::POST, &lock_path(resource), &[("Idempotency-Key", key)], Some(body)).await
}

/// Works with the lock for a moment, and most often releases it. A lease lasts until `sure` at least: it did not begin
/// before it was asked for, and how old the answer is when it is read nobody knows.
async fn hold(rng: &mut Rng, api: &Api, resource: &str, answer: &Answer, register: &RefCell<Register>, sure: Instant) {
    let (lock, now) = (answer.json(), Instant::now());
    let fence = lock["fence"].as_u64().expect("a fence");
    {
        let mut register = register.borrow_mut();
        let overlap = register.held_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        assert!(overlap.is_zero(), "{resource} has two holders for {overlap:?}");
        assert!(fence > register.last_fence, "fences rise");
        register.last_fence = fence;
        register.grants += 1;
        register.held_until = Some(sure);
    }
    tokio::time::sleep(Duration::from_secs_f64(rng.f64() * 0.02)).await;
    // Some holders just vanish, and their leases run out.
    if rng.u8(..20) > 0 {
        if register.borrow().last_fence == fence {
            register.borrow_mut().held_until = None;
        }
        let status = api.release(resource, token(&lock)).await.status;
        assert!(status == 204 || status == 404, "{status}");
    }
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.expect("a process has resident memory") * 1024
}
