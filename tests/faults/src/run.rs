//! One run: a deployment, clients, a nemesis, and then the check of what they saw.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gorilla_harness::{eventually, token};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    cell::{Cell, Fault},
    check::{self, Violation},
    client::{Client, LONGEST_LEASE},
    deployment::{Deployment, world},
    heard::{Told, VISITOR},
    history::{Event, History},
    listener::Audience,
    nemesis, observer, onlooker,
    world::{Sum, World},
};

const CLIENTS: u64 = 14;
/// Clients that are patient.
const PATIENT: u64 = 4;
const RESOURCES: u64 = 7;
/// For listeners to hear of the end of a run. A replica notices within 10 s that Redis records nothing any more.
const HEARD: Duration = Duration::from_secs(90);
/// From a visit to the next, if the listeners have not heard of it.
const VISITED: Duration = Duration::from_secs(2);
/// What the history calls the start of a deployment whose grants wait at first.
const START: &str = "start";

/// What came of a run.
pub struct Outcome {
    /// The cell.
    pub cell: Cell,
    /// The seed of all random choices.
    pub seed: u64,
    /// Figures.
    pub sum: Sum,
    /// How often the nemesis struck, or how often clients vanished if that is the fault.
    pub injections: u64,
    /// All broken promises.
    pub violations: Vec<Violation>,
    /// Updates that were lost by registers that don't compare fences.
    pub lost_unfenced: u64,
    /// Everything that was seen.
    pub history: History,
}

impl Outcome {
    /// The broken promises that may not break here.
    pub fn unexpected(&self) -> Vec<&Violation> {
        self.violations.iter().filter(|violation| !self.cell.may_break().contains(&violation.property())).collect()
    }

    /// How many events listeners were told, and how often that events are missing.
    pub fn heard(&self) -> (u64, u64) {
        let count = |is: fn(&Told) -> bool| self.history.heard().filter(|heard| is(&heard.told)).count() as u64;
        (count(|told| matches!(told, Told::Happened(_))), count(|told| matches!(told, Told::Missed { .. })))
    }

    /// Answers that say that Gorilla itself has failed: 500.
    pub fn internal_errors(&self) -> u64 {
        self.sum.answers.iter().filter(|((_, answer), _)| answer.starts_with("500")).map(|(_, count)| count).sum()
    }
}

/// Runs a cell for so long, with this program as Gorilla. Blocks.
pub fn run(cell: Cell, seed: u64, time: Duration, program: PathBuf) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build();
    runtime.expect("a runtime").block_on(play(cell, seed, time, program))
}

async fn play(cell: Cell, seed: u64, time: Duration, program: PathBuf) -> Outcome {
    let mut deployment = Deployment::start(cell, program).await;
    let world = world(&deployment, (0..RESOURCES).map(|index| format!("r{index}")).collect());
    if cell.grace {
        // Grants wait after the first start too.
        world.note(Event::Fault { what: START.into(), from: 0, until: 0 });
    }
    let audience = if cell.listens() { Some(Audience::begin(&world, seed).await) } else { None };
    let mut tasks = JoinSet::new();
    for port in deployment.ports() {
        tasks.spawn(observer::observe(Arc::clone(&world), port));
    }
    let hangs_up = if cell.fault == Fault::ClientsGone { 3 } else { 25 };
    for index in 0..CLIENTS {
        tasks.spawn(Client::new(&world, format!("c{index}"), seed * 1000 + index, hangs_up, index < PATIENT).run());
    }
    for (index, resource) in world.resources.iter().enumerate() {
        let seed = seed * 1000 + CLIENTS + index as u64;
        tasks.spawn(onlooker::look_on(Arc::clone(&world), resource.clone(), seed));
    }
    nemesis::strike_for(time, cell, &mut deployment, &world, seed).await;
    world.end();
    timeout(Duration::from_secs(30), tasks.join_all()).await.expect("all clients come to an end");
    leave(cell, &deployment, &world).await;
    if let Some(audience) = audience {
        visit(&deployment, &world, &audience).await;
        audience.end().await;
    }

    let (history, sum) = world.finish();
    let violations = check::check(&history);
    let struck = |event: &&Event| matches!(event, Event::Fault { what, .. } if what != START);
    let struck = history.events.iter().filter(struck).count() as u64;
    let gone = history.acquires().filter(|acquire| acquire.answered.is_none()).count() as u64;
    Outcome {
        cell,
        seed,
        sum,
        injections: if cell.fault == Fault::ClientsGone { gone } else { struck },
        violations,
        lost_unfenced: check::lost(&history, false).count() as u64,
        history,
    }
}

/// Takes each lock when all leases must have ended, and notes what is still there.
async fn leave(cell: Cell, deployment: &Deployment, world: &World) {
    // Where the clock was set back, leases last as much longer.
    if cell.fault == Fault::ClockBack {
        return;
    }
    let deadline = Instant::now() + Duration::from_millis(LONGEST_LEASE) + Duration::from_secs(3);
    let api = &deployment.replicas.iter().flatten().next().expect("a replica").api;
    for resource in &world.resources {
        while let answer = api.acquire(resource, VISITOR, 1).await
            && Instant::now() < deadline
        {
            if answer.status == 200 {
                api.release(resource, token(&answer.json())).await;
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        // A failover may still be under way.
        eventually("Redis can be asked", Duration::from_secs(20), || async { api.get("/_ready").await.status == 200 })
            .await;
        let state = api.state(resource).await;
        // The visitor may not have been told that it got the lock.
        let fence = state["fence"].as_u64().filter(|_| state["owner"] != VISITOR);
        let waiting = state["waiting"].as_u64().unwrap_or_default();
        world.note(Event::Left { resource: resource.clone(), fence, waiting });
    }
    for key in deployment.lasting_keys() {
        world.note(Event::Lasting { key });
    }
}

/// Takes each lock that can be had, and gives it back, until the listeners have heard of that: then they have heard all
/// that came before, unless they were told that they have not.
async fn visit(deployment: &Deployment, world: &World, audience: &Audience) {
    let api = &deployment.replicas.iter().flatten().next().expect("a replica").api;
    let deadline = Instant::now() + HEARD;
    let mut unheard: Vec<_> = world.resources.clone();
    while !unheard.is_empty() && Instant::now() < deadline {
        let mut visited = Vec::new();
        for resource in std::mem::take(&mut unheard) {
            let (asked, answer) = (world.now(), api.acquire(&resource, VISITOR, 1).await);
            match answer.status {
                200 => {
                    let (answered, lock) = (world.now(), answer.json());
                    let fence = lock["fence"].as_u64().expect("a lock has a fence");
                    world.note(Event::Visit { resource: resource.clone(), fence, asked, answered });
                    api.release(&resource, token(&lock)).await;
                    visited.push((resource, fence));
                }
                // Somebody holds it, as after a step of the clock.
                409 if answer.json()["owner"] != VISITOR => {}
                _ => unheard.push(resource),
            }
        }
        let patience = Instant::now() + VISITED;
        while !visited.is_empty() && Instant::now() < patience {
            visited.retain(|(resource, fence)| !audience.has_heard(resource, *fence));
            sleep(Duration::from_millis(20)).await;
        }
        unheard.extend(visited.into_iter().map(|(resource, _)| resource));
    }
}
