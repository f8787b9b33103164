//! Onlookers: clients that hold nothing and ask who leads. To them each lock is an election.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    history::{Event, Look},
    world::World,
};

/// How long an onlooker lets a replica wait for news, in seconds.
const WAIT: f64 = 0.5;
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks any replica who leads this election, again and again, until the world is over.
pub async fn look_on(world: Arc<World>, election: String, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut known = Value::Null;
    while !world.is_over() {
        // Version 0.1 knows no elections.
        if let Some(api) = world.any_of_this_version(&mut random) {
            let known_term = known.as_u64().map_or_else(|| "none".into(), |term| term.to_string());
            let path = format!("/api/v1/elections/{election}?after={known_term}&wait={WAIT}");
            let asked = world.now();
            let sent = api.try_send(reqwest::Method::GET, &path, &[], None);
            if let Ok(Ok(answer)) = timeout(PATIENCE, sent).await
                && answer.status == 200
            {
                let (answered, told) = (world.now(), answer.json());
                let began = asked + told["waitedMs"].as_u64().unwrap_or_default() * 1_000_000;
                let (resource, term) = (election.clone(), told["term"].as_u64());
                world.note(Event::Look(Look { resource, term, began, answered }));
                known = told["term"].clone();
            }
        }
        sleep(Duration::from_millis(random.u64(5..60))).await;
    }
}
