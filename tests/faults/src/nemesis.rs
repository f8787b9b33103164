//! Does to a deployment what a cell says, again and again, and undoes it each time.

use std::{fs, sync::Arc, time::Duration};

use gorilla_harness::{Cluster, Mode, Redis, Sentinel, eventually};
use tokio::time::{Instant, sleep};

use crate::{
    cell::{Cell, Fault},
    client::LONGEST_LEASE,
    deployment::{Deployment, Servers},
    history::{Event, Moment},
    world::World,
};

/// For a new master to be promoted, and for the old one to follow it.
const SWITCHED: Duration = Duration::from_secs(40);
/// For all replicas to be ready after the end of a fault.
const HEALED: Duration = Duration::from_secs(15);

/// Strikes for so long, at least once.
pub async fn strike_for(time: Duration, cell: Cell, deployment: &mut Deployment, world: &Arc<World>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let begun = Instant::now();
    if matches!(cell.fault, Fault::Nothing | Fault::ClientsGone) {
        sleep(time).await;
        return;
    }
    let graced = Duration::from_millis(if cell.grace { LONGEST_LEASE } else { 0 });
    let replaces = matches!(cell.fault, Fault::Upgrade | Fault::RollBack);
    let share = u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / (deployment.replicas.len() as u64 + 1);
    // Between two replicas that are replaced, both versions serve for a while.
    let pause = if replaces { share / 2..share } else { 600..2000 };
    let mut strikes = 0;
    while strikes == 0 || begun.elapsed() < time || replaces {
        // If new grants wait after a fault, and after the very first start, some grants must come before the next
        // fault.
        sleep(graced + milliseconds(&mut random, pause.clone())).await;
        let from = world.now();
        strike(cell.fault, deployment, world, &mut random).await;
        eventually(&format!("{cell}: all replicas are ready again"), HEALED, || deployment.ready()).await;
        // A clock that was moved once makes all times of before incomparable with those of after.
        let lasting = matches!(cell.fault, Fault::ClockForward | Fault::ClockBack);
        let until = if lasting { Moment::MAX } else { world.now() };
        world.note(Event::Fault { what: cell.fault.to_string(), from, until });
        strikes += 1;
        // One split brain is enough for a run. An upgrade or a roll-back is over when all replicas are replaced.
        let is_done = match cell.fault {
            Fault::MasterCutOff => true,
            Fault::Upgrade => !deployment.of_0_1.contains(&true),
            Fault::RollBack => !deployment.of_0_1.contains(&false),
            _ => false,
        };
        if is_done {
            break;
        }
    }
    sleep(graced + time.saturating_sub(begun.elapsed())).await;
}

fn milliseconds(random: &mut fastrand::Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

async fn strike(fault: Fault, deployment: &mut Deployment, world: &Arc<World>, random: &mut fastrand::Rng) {
    let index = random.usize(..deployment.replicas.len());
    let a_while = milliseconds(random, 200..2500);
    match fault {
        Fault::Nothing | Fault::ClientsGone => {}
        Fault::ReplicaKilled => kill(index, a_while, deployment, world).await,
        Fault::ReplicaPaused => {
            let Some(replica) = &deployment.replicas[index] else { return };
            replica.process.signal(gorilla_harness::Signal::STOP);
            sleep(milliseconds(random, 1000..4500)).await;
            replica.process.signal(gorilla_harness::Signal::CONT);
        }
        Fault::RollingRestart => {
            for index in 0..deployment.replicas.len() {
                replace(index, deployment, world).await;
            }
        }
        Fault::Upgrade | Fault::RollBack => {
            let upgrades = fault == Fault::Upgrade;
            let Some(index) = deployment.of_0_1.iter().position(|is_of_0_1| *is_of_0_1 == upgrades) else { return };
            deployment.of_0_1[index] = !upgrades;
            match random.u32(..3) {
                0 => kill(index, a_while, deployment, world).await,
                _ => replace(index, deployment, world).await,
            }
        }
        Fault::RepliesDropped | Fault::RequestsDropped => {
            let swallow = if fault == Fault::RepliesDropped { Mode::SwallowReplies } else { Mode::SwallowRequests };
            let links = if random.bool() { index..index + 1 } else { 0..deployment.links.len() };
            deployment.links[links.clone()].iter().for_each(|link| link.set(swallow));
            sleep(a_while).await;
            for link in &deployment.links[links] {
                link.set(Mode::Pass);
                // TCP would repeat the lost bytes. Here the connections that lack them end.
                link.cut();
            }
        }
        Fault::ConnectionsReset => {
            for _ in 0..random.u32(1..12) {
                let link = &deployment.links[random.usize(..deployment.links.len())];
                link.cut();
                sleep(milliseconds(random, 0..250)).await;
            }
        }
        Fault::Latency => {
            deployment.links.iter().for_each(|link| link.set(Mode::DelayReplies(Duration::from_millis(200))));
            sleep(milliseconds(random, 1500..4000)).await;
            deployment.links.iter().for_each(|link| link.set(Mode::Pass));
        }
        Fault::ClockForward | Fault::ClockBack => {
            let Some(clock) = &deployment.clock else { return };
            let step = if fault == Fault::ClockForward { 120 } else { -120 };
            clock.step(step);
            sleep(a_while).await;
        }
        _ => match &mut deployment.servers {
            Servers::Standalone(redis) => standalone(fault, redis, a_while, random).await,
            Servers::Sentinel(sentinel) => {
                let cut_off = fault == Fault::MasterCutOff;
                switch(fault, sentinel, a_while, random).await;
                if cut_off {
                    // Its Redis is not a master any more.
                    let replica = deployment.new_replica(0);
                    deployment.put(0, replica, world);
                }
            }
            Servers::Cluster(cluster) => in_cluster(fault, cluster, &world.resources, a_while, random).await,
        },
    }
}

/// Kills a replica, and starts another in its place after a while.
async fn kill(index: usize, a_while: Duration, deployment: &mut Deployment, world: &Arc<World>) {
    deployment.replicas[index] = None;
    sleep(a_while).await;
    let replica = deployment.new_replica(index);
    deployment.put(index, replica, world);
}

/// Starts a replica in the place of another. The old replica is told to end once the load balancer leads to the new
/// one.
async fn replace(index: usize, deployment: &mut Deployment, world: &Arc<World>) {
    let new = deployment.new_replica(index);
    let old = deployment.replicas[index].take();
    deployment.put(index, new, world);
    eventually("the new replica is ready", HEALED, || deployment.ready()).await;
    let Some(mut old) = old else { return };
    old.process.signal(gorilla_harness::Signal::TERM);
    let mut ended = false;
    for _ in 0..600 {
        ended = ended || old.process.child.try_wait().is_ok_and(|status| status.is_some());
        if ended {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(ended, "a replica that is told to end does");
}

async fn standalone(fault: Fault, redis: &mut Redis, a_while: Duration, random: &mut fastrand::Rng) {
    match fault {
        Fault::RedisPaused => {
            redis.pause();
            sleep(a_while).await;
            redis.resume();
        }
        Fault::RedisKilled | Fault::RedisEmptied => {
            redis.stop();
            // This is soon enough for leases to be alive still.
            sleep(a_while / 4).await;
            redis.run();
        }
        Fault::Flushed => {
            redis.cli(&["FLUSHALL"]);
        }
        Fault::ScriptsFlushed => {
            for _ in 0..random.u32(1..6) {
                redis.cli(&["SCRIPT", "FLUSH"]);
                redis.cli(&["CLIENT", "KILL", "TYPE", if random.bool() { "normal" } else { "pubsub" }]);
                sleep(milliseconds(random, 0..300)).await;
            }
        }
        Fault::DiskFull => {
            let folder = redis.folder().join("appendonlydir");
            let sizes = fs::read_dir(folder).expect("there is an append-only file").flatten();
            let largest = sizes.filter_map(|file| file.metadata().ok()).map(|file| file.len()).max();
            redis.limit_files(largest);
            sleep(a_while).await;
            redis.limit_files(None);
        }
        Fault::Evicted => {
            redis.cli(&["DEBUG", "POPULATE", "200", "ballast", "500"]);
            redis.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
            let used = redis.cli(&["INFO", "memory"]);
            let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse::<u64>().ok());
            let most = (used.expect("Redis tells how much it uses") - 60_000).to_string();
            redis.cli(&["CONFIG", "SET", "maxmemory", &most]);
            sleep(a_while).await;
            redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
            redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        }
        _ => unreachable!("{fault} is not for a Redis that stands alone"),
    }
}

async fn switch(fault: Fault, sentinel: &mut Sentinel, a_while: Duration, random: &mut fastrand::Rng) {
    let port = sentinel.master();
    let position = sentinel.nodes.iter().position(|node| node.port == port);
    match fault {
        Fault::MasterKilled => {
            let old = position.expect("the sentinels know the master");
            let lagging = random.bool();
            let replicas: Vec<_> = (0..sentinel.nodes.len()).filter(|index| *index != old).collect();
            if lagging {
                replicas.iter().for_each(|index| sentinel.nodes[*index].pause());
                sleep(milliseconds(random, 200..700)).await;
            }
            sentinel.nodes[old].stop();
            if lagging {
                replicas.iter().for_each(|index| sentinel.nodes[*index].resume());
            }
            sentinel.promoted(port).await;
            sleep(a_while).await;
            let master = sentinel.master().to_string();
            sentinel.nodes[old].run_with(&["--replicaof", "127.0.0.1", &master]);
        }
        Fault::MasterHung => {
            let old = position.expect("the sentinels know the master");
            sentinel.nodes[old].pause();
            sentinel.promoted(port).await;
            sleep(a_while).await;
            sentinel.nodes[old].resume();
            follows(&sentinel.nodes[old]).await;
        }
        Fault::MasterCutOff => {
            let link = sentinel.link.as_ref().expect("the master is behind a link");
            link.set(Mode::Swallow);
            sentinel.promoted(port).await;
            // Both are masters now, each with clients.
            sleep(Duration::from_secs(2) + a_while).await;
            link.set(Mode::Pass);
            link.cut();
            follows(&sentinel.nodes[0]).await;
        }
        _ => unreachable!("{fault} is not for Sentinel"),
    }
}

/// Waits until a server that was the master is not a master any more.
async fn follows(old: &Redis) {
    eventually("the old master follows the new one", SWITCHED, || async { !old.is_master() }).await;
}

async fn in_cluster(
    fault: Fault,
    cluster: &mut Cluster,
    resources: &[String],
    a_while: Duration,
    random: &mut fastrand::Rng,
) {
    let key = |resource: &String| format!("gorilla:{{{resource}}}:lock");
    if fault == Fault::Resharded {
        for resource in resources {
            cluster.move_slot(&key(resource));
        }
        return;
    }
    // A master without a replica that follows it would never be replaced.
    let followed = |index: &usize| cluster.nodes[*index].cli(&["INFO", "replication"]).contains("state=online");
    let mut keys: Vec<_> = resources.iter().map(key).collect();
    random.shuffle(&mut keys);
    let find = || {
        let with_master = |key: &String| Some((key.clone(), cluster.index_of_master(key, None).filter(followed)?));
        keys.iter().find_map(with_master)
    };
    eventually("a master has a replica", SWITCHED, || async { find().is_some() }).await;
    let Some((key, old)) = find() else { return };
    let replaced = |cluster: &Cluster| cluster.index_of_master(&key, Some(old)).is_some();
    match fault {
        Fault::MasterKilled => {
            let lagging = random.bool();
            let followers: Vec<_> =
                (0..cluster.nodes.len()).filter(|index| !cluster.nodes[*index].is_master()).collect();
            if lagging {
                followers.iter().for_each(|index| cluster.nodes[*index].pause());
                sleep(milliseconds(random, 200..700)).await;
            }
            cluster.nodes[old].stop();
            if lagging {
                followers.iter().for_each(|index| cluster.nodes[*index].resume());
            }
            eventually("a replica takes over", SWITCHED, || async { replaced(cluster) }).await;
            sleep(a_while).await;
            cluster.nodes[old].run();
        }
        Fault::MasterHung => {
            cluster.nodes[old].pause();
            eventually("a replica takes over", SWITCHED, || async { replaced(cluster) }).await;
            sleep(a_while).await;
            cluster.nodes[old].resume();
        }
        _ => unreachable!("{fault} is not for a Cluster"),
    }
    follows(&cluster.nodes[old]).await;
}
