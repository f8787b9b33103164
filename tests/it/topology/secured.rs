//! Users with exactly the rights that docs/guides/redis.md gives them, on servers that speak nothing but TLS.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    failover::heals,
    harness::{Api, Cluster, ELECTION, Method, Redis, Replica, Security, Sentinel, eventually, name, token},
};

/// The rights that the document gives to the user of a topology, by the line of its rule that comments say it is for.
pub fn rules(topology: &str) -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/redis.md");
    let document = fs::read_to_string(document).expect("the document");
    let start = "ACL SETUSER gorilla on >PASSWORD ";
    let mut lines = document.lines().skip_while(|line| *line != format!("# {topology}"));
    let rule = lines.nth(1).and_then(|line| line.strip_prefix(start));
    rule.unwrap_or_else(|| panic!("the document has a rule for {topology}")).into()
}

/// The scripts call their commands by name.
#[test]
fn the_user_of_each_topology_may_run_every_command_that_a_script_calls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
    let (mut folders, mut commands) = (vec![root], std::collections::BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).expect("a script");
            let calls = text.split("redis.call('").chain(text.split("redis.pcall('")).skip(1);
            commands.extend(calls.filter_map(|rest| rest.split('\'').next().map(str::to_lowercase)));
        }
    }
    commands.retain(|command| !command.contains(char::is_whitespace));
    assert!(commands.contains("xadd") && commands.contains("zrangebyscore"), "{commands:?}");
    for topology in ["a server", "behind Sentinel", "in a Cluster"] {
        let rules = rules(topology);
        let lacks: Vec<_> =
            commands.iter().filter(|&command| !rules.split(' ').any(|right| right[1..] == *command)).collect();
        assert!(lacks.is_empty(), "{topology}: {lacks:?}");
    }
}

async fn replica(url: &str, security: &Security) -> Replica {
    let trust = security.trust();
    let trust: Vec<_> = trust.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Replica::with(url, &trust).await
}

/// Has two replicas do everything that they can, and expects it to succeed and to be allowed.
async fn everything_works(one: &Replica, other: &Replica) {
    let (api, far) = (&one.api, &other.api);
    for _ in 0..6 {
        let resource = name("secured");
        let keyed = |key: &'static str| [("Idempotency-Key", key)];
        let body = json!({ "owner": "first", "timeout": 30, "metadata": ["m"] });
        let lock = api.acquire_with(&resource, &body, &keyed("a")).await;
        let again = far.acquire_with(&resource, &body, &keyed("a")).await;
        assert_eq!((lock.status, again.status), (200, 200), "{lock:?} {again:?}");
        assert_eq!(far.acquire(&resource, "second", 30).await.code(), "lock_held");
        let lock = far.extend_with(&resource, token(&lock.json()), 60, &keyed("e")).await.json();
        assert_eq!(api.status(&resource, token(&lock)).await.status, 200);
        // Four clients wait: one hangs up, one waits in pieces, and two wait until they are woken.
        let waiting = |owner: &'static str, wait: f64| {
            let (far, resource) = (Api::at(&far.address), resource.clone());
            let body = json!({ "owner": owner, "timeout": 30, "wait": wait });
            tokio::spawn(async move { far.acquire_with(&resource, &body, &[("Idempotency-Key", owner)]).await })
        };
        let waits = |count: u32| {
            let resource = &resource;
            move || async move { api.state(resource).await["waiting"] == count }
        };
        let soon = Duration::from_secs(5);
        let gone = waiting("gone", 20.0);
        eventually("one waits", soon, waits(1)).await;
        gone.abort();
        eventually("it has left", soon, waits(0)).await;
        assert_eq!(waiting("pieces", 0.1).await.expect("an answer").code(), "wait_timeout");
        let second = waiting("second", 20.0);
        eventually("one waits", soon, waits(1)).await;
        let third = waiting("third", 20.0);
        eventually("two wait", soon, waits(2)).await;
        assert_eq!(api.release_with(&resource, token(&lock), &keyed("r")).await.status, 204);
        let lock = second.await.expect("an answer");
        assert_eq!(api.release(&resource, token(&lock.json())).await.status, 204);
        assert_eq!(third.await.expect("an answer").status, 200);
        for _ in 0..2 {
            assert_eq!(api.break_lock(&resource, &json!({}), &keyed("b")).await.status, 200);
        }
        set_works(api, far).await;
        assert_eq!(api.get("/api/v1/locks?limit=1000").await.status, 200);
        assert_eq!(far.get("/_ready").await.status, 200);
    }
    for log in [one.log(), other.log()] {
        let worse =
            |line: &str| ["WARN", "ERROR"].iter().any(|level| line.contains(level)) && !line.contains("gorilla::audit");
        assert!(!log.lines().any(worse), "{log}");
        assert!(!log.contains(Security::PASSWORD) && !log.contains(&Security::escaped_password()), "{log}");
    }
}

/// A set that is granted at once, one that is refused, and one that waits, with a copy.
async fn set_works(api: &Api, far: &Api) {
    let names = [name("set"), name("set")];
    let body = json!({
        "owner": "set", "timeout": 30, "wait": 20, "resources": names.each_ref().map(|name| json!({ "resource": name })),
    });
    let ask = async |api: &Api, body: &serde_json::Value, key: &str| {
        api.send(Method::POST, "/api/v1/locks", &[("Idempotency-Key", key)], Some(body.to_string())).await
    };
    let set = ask(api, &body, "s").await;
    assert_eq!((set.status, ask(far, &body, "s").await.status), (200, 200), "{set:?}");
    let mut at_once = body.clone();
    at_once["wait"] = json!(0);
    assert_eq!(ask(far, &at_once, "r").await.code(), "lock_held");
    let last = async {
        eventually("the set waits", Duration::from_secs(5), || async { api.state(&names[0]).await["waiting"] == 1 })
            .await;
        for (name, lock) in names.iter().zip(set.json()["locks"].as_array().expect("locks")) {
            assert_eq!(api.release(name, token(lock)).await.status, 204);
        }
    };
    let (waited, ()) = tokio::join!(ask(far, &body, "w"), last);
    assert_eq!(waited.status, 200, "{waited:?}");
}

#[tokio::test]
async fn a_server_with_tls_and_a_user_with_few_rights() {
    let security = Security::acl_and_tls(&rules("a server"));
    let redis = Redis::secured(&security, &[]);
    everything_works(&replica(&redis.url(), &security).await, &replica(&redis.url(), &security).await).await;
}

#[tokio::test]
async fn a_sentinel_with_tls_and_a_user_with_few_rights() {
    let security = Security::acl_and_tls(&rules("behind Sentinel"));
    let security = security.with_sentinel_rules(&rules("at the sentinels themselves"));
    let mut sentinel = Sentinel::secured(&security).await;
    let [one, other] = [replica(&sentinel.url(), &security).await, replica(&sentinel.url(), &security).await];
    everything_works(&one, &other).await;

    let old = sentinel.master();
    sentinel.nodes[0].stop();
    let promoted = sentinel.promoted(old).await;
    for replica in [&one, &other] {
        heals(&replica.api, promoted).await;
    }
}

#[tokio::test]
async fn a_cluster_with_tls_and_a_user_with_few_rights() {
    let security = Security::acl_and_tls(&rules("in a Cluster"));
    let mut cluster = Cluster::secured(&security).await;
    let [one, other] = [replica(&cluster.url(), &security).await, replica(&cluster.url(), &security).await];
    everything_works(&one, &other).await;

    cluster.nodes[0].stop();
    let masters = || cluster.nodes[1..].iter().filter(|node| node.is_master()).count();
    eventually("a replica takes over", ELECTION, || async { masters() == 3 }).await;
    let promoted = Instant::now();
    for replica in [&one, &other] {
        heals(&replica.api, promoted).await;
    }
}
