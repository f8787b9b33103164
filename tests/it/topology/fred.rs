//! Why `src/store/link/` does by itself what fred offers to do: weak spots of fred alone, without Gorilla around it. If
//! one of these tests fails with a newer fred, the part of the link that works around its weak spot may go. The tests
//! of the same behaviour of Gorilla are `outage::hung`, `failover` and `outage::clients`.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use ::fred::{
    clients::Client,
    error::Error,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::{
        Builder, ClientState, ClusterHash, CustomCommand,
        config::{Config, ReconnectPolicy, UnresponsiveConfig},
    },
    util::redis_keyslot,
};
use tokio::task::JoinHandle;

use crate::{
    failover::HEALED,
    harness::{Cluster, ELECTION, Redis, eventually},
};

const KEY: &str = "key";

const SOON: Duration = Duration::from_secs(5);

/// When a server hangs, as fred is told; longer than traffic may falter on a busy machine.
const UNANSWERED: Duration = Duration::from_millis(1500);

/// A client that reconnects for ever, and that looks for servers which don't answer.
async fn client(url: &str) -> Client {
    let mut builder = Builder::from_config(Config::from_url(url).expect("a URL"));
    builder
        .with_connection_config(|config| {
            config.connection_timeout = Duration::from_secs(1);
            config.internal_command_timeout = Duration::from_secs(1);
            config.unresponsive =
                UnresponsiveConfig { max_timeout: Some(UNANSWERED), interval: Duration::from_millis(100) };
        })
        .with_performance_config(|config| config.default_command_timeout = Duration::from_secs(1))
        .set_policy(ReconnectPolicy::new_constant(0, 100));
    let client = builder.build().expect("a client");
    client.init().await.expect("a connection");
    client
}

/// Sends a command every now and then, whether those before were answered or not.
fn steadily<F: Future<Output = Result<(), Error>> + Send + 'static>(
    mut command: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::spawn(command());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

#[tokio::test]
async fn fred_alone_does_not_notice_a_hung_server_while_there_is_traffic() {
    let redis = Redis::start(&[]);
    let client = client(&redis.url()).await;
    redis.pause();
    let traffic = steadily({
        let client = client.clone();
        move || {
            let client = client.clone();
            async move { client.ping::<()>(None).await }
        }
    });
    let begun = Instant::now();
    while begun.elapsed() < 2 * UNANSWERED {
        assert_eq!(
            client.state(),
            ClientState::Connected,
            "it counts from the last write, and there is always a later one"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    traffic.abort();
    eventually("without traffic it notices", SOON, || async { client.state() != ClientState::Connected }).await;
}

#[tokio::test]
async fn fred_alone_does_not_subscribe_again_after_a_reconnect() {
    let redis = Redis::start(&[]);
    let client = client(&redis.url()).await;
    client.subscribe("channel").await.expect("a subscription");
    let receivers = || redis.cli(&["PUBLISH", "channel", "message"]);
    eventually("it listens", SOON, || async { receivers() == "1" }).await;
    let mut reconnected = client.reconnect_rx();
    assert_eq!(redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]), "1");
    tokio::time::timeout(SOON, reconnected.recv()).await.expect("it reconnects").expect("the client lives");
    client.ping::<()>(None).await.expect("commands are served again");
    assert_eq!(receivers(), "0", "and messages are not");
}

#[tokio::test]
async fn fred_alone_does_not_wait_for_what_redis_says_to_subscribe() {
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "default", "resetchannels"]);
    let client = client(&redis.url()).await;
    client.subscribe("channel").await.expect("fred says that it succeeded");
    assert_eq!(redis.cli(&["PUBSUB", "CHANNELS"]), "");
    eventually("Redis has refused it", SOON, || async { redis.cli(&["ACL", "LOG"]).contains("channel") }).await;
}

#[tokio::test]
async fn fred_alone_goes_on_asking_a_master_of_a_cluster_that_hangs_when_another_has_taken_over() {
    // If the master is killed instead, fred finds the new master at once.
    let cluster = Cluster::with_replicas().await;
    let client = client(&cluster.url()).await;
    let get = CustomCommand::new_static("GET", ClusterHash::Custom(redis_keyslot(KEY.as_bytes())), false);
    let traffic = steadily({
        let (client, get) = (client.clone(), get.clone());
        move || {
            let (client, get) = (client.clone(), get.clone());
            async move { client.custom::<Option<String>, _>(get, vec![KEY]).await.map(drop) }
        }
    });
    let hangs = cluster.master_of(KEY);
    hangs.pause();
    let others = || cluster.nodes.iter().filter(|node| node.port != hangs.port);
    eventually("a replica takes over", ELECTION, || async { others().filter(|node| node.is_master()).count() == 3 })
        .await;
    let promoted = Instant::now();
    while promoted.elapsed() < HEALED {
        let got = client.custom::<Option<String>, _>(get.clone(), vec![KEY]).await;
        assert!(got.is_err(), "{got:?} after {:?}", promoted.elapsed());
    }
    traffic.abort();
    hangs.resume();
}
