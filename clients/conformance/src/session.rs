//! One run of one scenario: its server, its agents, and what was said.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use gorilla_harness::{Api, Redis, Replica, WallClock};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinHandle};
use uuid::Uuid;

use crate::{
    agent::Agent,
    fake::Fake,
    leases::Leases,
    link::Link,
    scenario::{self, About, Scenario, Server},
    wire::WireLog,
};

/// How long an agent may take to make its client.
const CLIENT: Duration = Duration::from_secs(30);

/// A run.
pub struct Session {
    pub scenario: Arc<Scenario>,
    /// The resource, unless a step names one.
    pub resource: String,
    pub log: Arc<WireLog>,
    pub leases: Arc<Leases>,
    pub served: Served,
    pub first: Agent,
    pub second: Option<Agent>,
    pub named: BTreeMap<String, Pending>,
    /// The requests that steps have waited for.
    pub seen: BTreeSet<usize>,
    /// When the clock of the client was moved, and by how many seconds.
    pub advances: Vec<(Instant, f64)>,
    /// The token of the other client.
    pub other: Option<String>,
    /// What the client gave with its last `detach`.
    pub ticket: Option<Value>,
    pub clock: Option<WallClock>,
    command: Vec<String>,
    env: Vec<(String, String)>,
}

/// Who serves.
pub enum Served {
    Fake(Fake),
    /// A replica. None: the one of all scenarios.
    Replica {
        link: Link,
        api: Api,
        own: Option<Box<Replica>>,
    },
}

/// A command whose answer a later step awaits.
pub enum Pending {
    Agent { agent: scenario::Agent, id: u64, about: About },
    Other { answer: JoinHandle<Value>, about: About },
}

impl Session {
    /// Starts the server and the agent.
    pub async fn start(scenario: &Arc<Scenario>, command: &[String], shared: &Api) -> Result<Self, String> {
        let (log, leases) = (Arc::new(WireLog::new()), Arc::new(Leases::default()));
        let mut env: Vec<(String, String)> = Vec::new();
        let no_socket = |error| format!("no socket: {error}");
        let served = match scenario.server {
            Server::Fake => Served::Fake(Fake::start(&scenario.script, &log, &leases).await.map_err(no_socket)?),
            Server::Replica => {
                let needs_own =
                    !scenario.settings.is_empty() || scenario.steps.iter().any(|step| step.name == "restart");
                let own = match needs_own {
                    true => Some(Box::new(own_replica(scenario).await)),
                    false => None,
                };
                let api = own.as_ref().map_or(shared, |own| &own.api).apart();
                let link = Link::to(&api.address, &log, &leases).await.map_err(no_socket)?;
                Served::Replica { link, api, own }
            }
        };
        let url = match &served {
            Served::Fake(fake) => &fake.url,
            Served::Replica { link, .. } => &link.url,
        };
        env.push(("GORILLA_URL".into(), url.clone()));
        if let Some(key) = &scenario.key {
            env.push(("GORILLA_API_KEY".into(), key.clone()));
        }
        let clock = scenario.steps.iter().any(|step| step.name == "wall_clock").then(WallClock::new);
        env.extend(clock.iter().flat_map(WallClock::env));
        let first = start(scenario, command, &env).await?;
        Ok(Self {
            resource: format!("{}-{}", scenario.name, &Uuid::new_v4().simple().to_string()[..8]),
            scenario: Arc::clone(scenario),
            log,
            leases,
            served,
            first,
            second: None,
            named: BTreeMap::new(),
            seen: BTreeSet::new(),
            advances: Vec::new(),
            other: None,
            ticket: None,
            clock,
            command: command.to_vec(),
            env,
        })
    }

    /// The process of the agent that a step means. The second is started when a step first needs it.
    pub async fn agent(&mut self, which: scenario::Agent) -> Result<&mut Agent, String> {
        match (which, &mut self.second) {
            (scenario::Agent::First, _) => Ok(&mut self.first),
            (scenario::Agent::Second, Some(second)) => Ok(second),
            (scenario::Agent::Second, second) => {
                Ok(second.insert(start(&self.scenario, &self.command, &self.env).await?))
            }
        }
    }

    /// The replica ends, and another takes its place.
    pub async fn restart(&mut self) -> Result<(), String> {
        let Served::Replica { link, api, own } = &mut self.served else { return Err("a fake has no restart".into()) };
        let next = own_replica(&self.scenario).await;
        *api = next.api.apart();
        link.lead_to(&api.address);
        if let Some(before) = own.replace(Box::new(next)) {
            before.process.signal(gorilla_harness::Signal::TERM);
        }
        Ok(())
    }
}

/// Starts an agent, and has it make its client. Many runtimes need much of the processor for that, so that few agents
/// start at once: those that run hold leases, and must not wait for the processor.
async fn start(scenario: &Scenario, command: &[String], env: &[(String, String)]) -> Result<Agent, String> {
    static STARTING: LazyLock<Semaphore> = LazyLock::new(|| {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Semaphore::new(processors)
    });
    let _place = STARTING.acquire().await;
    let mut agent = Agent::start(command, env).await?;
    let id = agent.send("client", &Value::Object(scenario.client.clone())).await?;
    let answer = agent.answer(id, CLIENT).await?;
    if answer["ok"].is_object() { Ok(agent) } else { Err(format!("client: {answer}")) }
}

async fn own_replica(scenario: &Scenario) -> Replica {
    let settings: Vec<_> = scenario.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    Replica::with(&Redis::shared().url(), &settings).await
}
