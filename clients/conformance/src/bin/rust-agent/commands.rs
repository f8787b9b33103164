//! The commands.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    env,
    rc::Rc,
    thread,
    time::Duration,
};

use gorilla_client::{Client, Error, Kind, Progress, Told, test_clock};
use serde_json::{Value, json};
use tokio::{sync::Mutex, task::JoinSet};

use crate::{
    elections::Elections,
    errors::{Failed, reason},
    holds::Hold,
    out,
};

/// How many of many locks are acquired at once.
const AT_ONCE: usize = 50;

/// What the agent has.
#[derive(Default)]
pub struct Agent {
    client: OnceCell<Client>,
    holds: RefCell<BTreeMap<String, Hold>>,
    /// Taken by the commands that change a lock, which come one after the other.
    turns: RefCell<BTreeMap<String, Rc<Mutex<()>>>>,
    many: RefCell<Vec<Hold>>,
    elections: Elections,
    last_error: RefCell<String>,
}

type Answer = Result<Value, Failed>;

impl Agent {
    pub async fn execute(&self, command: &Value) -> Answer {
        let name = command["lock"].as_str().unwrap_or("a");
        let turn = self.turns.borrow_mut().entry(name.into()).or_default().clone();
        match command["do"].as_str().unwrap_or_default() {
            "client" => self.make_client(command),
            "acquire" => {
                let _turn = turn.lock().await;
                self.acquire(name, command).await
            }
            "release" => {
                let _turn = turn.lock().await;
                self.release(name).await
            }
            "raise" => {
                let _turn = turn.lock().await;
                self.raise(name, command["message"].as_str().unwrap_or_default())
            }
            "detach" => {
                let _turn = turn.lock().await;
                self.detach(name).await
            }
            "adopt" => {
                let _turn = turn.lock().await;
                self.adopt(name, command).await
            }
            "once" => self.once(command).await,
            "elect" => {
                let election = command["name"].as_str().unwrap_or_default();
                let ttl = seconds(&command["ttl"]).unwrap_or(Duration::from_secs(30));
                let elected = self.elections.elect(self.client()?, name, election, ttl).await;
                elected.map(|()| json!({})).map_err(|error| self.failed(error))
            }
            "watch" => self.watch(command["prefix"].as_str().unwrap_or_default()),
            "resign" => self.elections.resign(name),
            "check" => self.elections.check(name).unwrap_or_else(|| self.with(name, Hold::check)),
            "fence" => self.with(name, |hold| Ok(hold.facts())),
            "repr" => {
                let guards = self.holds.borrow().get(name).map(|hold| format!("{:?}", hold.guards()));
                let text = format!("{:?} {guards:?} {}", self.client()?, self.last_error.borrow());
                Ok(json!({ "text": text }))
            }
            "block" => {
                thread::sleep(Duration::from_millis(command["ms"].as_u64().unwrap_or_default()));
                Ok(json!({}))
            }
            "advance" => {
                test_clock::advance(seconds(&command["s"]).unwrap_or_default());
                Ok(json!({}))
            }
            "many" => self.many(command).await,
            "many_held" => Ok(json!({ "held": self.many.borrow().iter().filter(|hold| hold.is_held()).count() })),
            "exit" => Ok(json!({})),
            unknown => Err(Failed::unsupported(unknown)),
        }
    }

    fn client(&self) -> Result<&Client, Failed> {
        if self.client.get().is_none() {
            self.make_client(&json!({}))?;
        }
        self.client.get().ok_or_else(|| Failed::other("there is no client"))
    }

    fn make_client(&self, options: &Value) -> Answer {
        let mut builder = Client::builder(env::var("GORILLA_URL").unwrap_or_default());
        if let Ok(key) = env::var("GORILLA_API_KEY") {
            builder = builder.api_key(key);
        }
        if let Some(patience) = seconds(&options["patience"]) {
            builder = builder.patience(patience);
        }
        let client = builder.build().map_err(|error| self.failed(error))?;
        self.client.set(client).map_err(|_| Failed::other("the client is there already"))?;
        Ok(json!({}))
    }

    async fn acquire(&self, name: &str, command: &Value) -> Answer {
        let client = self.client()?;
        let report = reporting(name);
        let ttl = seconds(&command["ttl"]).unwrap_or(Duration::from_secs(30));
        let (wait, grace) = (seconds(&command["wait"]).unwrap_or_default(), seconds(&command["grace"]));
        let owner = command["owner"].as_str();
        let acquired = match command["resources"].as_array() {
            Some(resources) => {
                let names = resources.iter().filter_map(Value::as_str);
                let mut request = client.locks(names).ttl(ttl).wait(wait).on_progress(report);
                if let Some(grace) = grace {
                    request = request.grace(grace);
                }
                request.acquire().await.map(Hold::Set)
            }
            None => {
                let resource = command["resource"].as_str().unwrap_or_default();
                let mut request = client.lock(resource).ttl(ttl).wait(wait).kind(kind(command)).on_progress(report);
                if let Some(grace) = grace {
                    request = request.grace(grace);
                }
                if let Some(at_least) = seconds(&command["atLeast"]) {
                    request = request.at_least(at_least);
                }
                if let Some(max_hold) = seconds(&command["maxHold"]) {
                    request = request.max_hold(max_hold);
                }
                if let Some(owner) = owner {
                    request = request.owner(owner);
                }
                if !command["metadata"].is_null() {
                    request = request.metadata(command["metadata"].clone());
                }
                request.acquire().await.map(|guard| Hold::One(Box::new(guard)))
            }
        };
        let hold = match acquired {
            Ok(hold) => hold,
            Err(error) => {
                let event = if matches!(error, Error::NotAcquired(_)) { "not_acquired" } else { "failed" };
                out::event(event, name, json!({ "reason": error.to_string() }));
                return Err(self.failed(error));
            }
        };
        Ok(self.hold(name, hold))
    }

    /// Keeps a lock that was acquired, and tells about it.
    fn hold(&self, name: &str, hold: Hold) -> Value {
        out::event("acquired", name, hold.facts());
        hold.report(name);
        let facts = hold.facts();
        self.holds.borrow_mut().insert(name.into(), hold);
        facts
    }

    async fn detach(&self, name: &str) -> Answer {
        let hold = self.holds.borrow_mut().remove(name);
        let Some(Hold::One(guard)) = hold else { return Err(Failed::other("no such lock")) };
        let ticket = guard.detach().await.map_err(|error| self.failed(error))?;
        let mut ticket = serde_json::to_value(ticket).map_err(|error| Failed::other(&error.to_string()))?;
        ticket["fence"] = ticket["fence"].to_string().into();
        Ok(json!({ "ticket": ticket }))
    }

    async fn adopt(&self, name: &str, command: &Value) -> Answer {
        let mut ticket = command["ticket"].clone();
        // The protocol has fences as text.
        ticket["fence"] = ticket["fence"].as_str().and_then(|fence| fence.parse::<u64>().ok()).into();
        let ticket = serde_json::from_value(ticket).map_err(|error| Failed::other(&error.to_string()))?;
        let mut adoption = self.client()?.adopt(ticket).on_progress(reporting(name));
        if let Some(ttl) = seconds(&command["ttl"]) {
            adoption = adoption.ttl(ttl);
        }
        if let Some(grace) = seconds(&command["grace"]) {
            adoption = adoption.grace(grace);
        }
        let guard = adoption.take().await.map_err(|error| self.failed(error))?;
        Ok(self.hold(name, Hold::One(Box::new(guard))))
    }

    /// Works under the lock if nobody else has it, as programs do.
    async fn once(&self, command: &Value) -> Answer {
        let name = command["name"].as_str().unwrap_or_default();
        let request = self.client()?.lock(name).ttl(seconds(&command["ttl"]).unwrap_or(Duration::from_secs(30)));
        let request = request.wait(seconds(&command["wait"]).unwrap_or_default());
        match request.at_least(seconds(&command["atLeast"]).unwrap_or_default()).acquire().await {
            Ok(guard) => {
                tokio::time::sleep(Duration::from_millis(command["ms"].as_u64().unwrap_or_default())).await;
                guard.release().await.map_err(|error| self.failed(error))?;
                Ok(json!({ "ran": true }))
            }
            Err(Error::NotAcquired(_)) => Ok(json!({ "ran": false })),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn release(&self, name: &str) -> Answer {
        let hold = self.holds.borrow_mut().remove(name).ok_or_else(|| Failed::other("no such lock"))?;
        match hold.release().await {
            Ok(()) => out::event("released", name, json!({})),
            Err(error @ Error::Lost(_)) => return Err(self.failed(error)),
            // The lock ends with its lease, and the body did all it wanted: that is an event, and no error.
            Err(error) => out::event("not_released", name, json!({ "reason": error.to_string() })),
        }
        Ok(json!({}))
    }

    /// Ends the scope by an error: the guard is dropped.
    fn raise(&self, name: &str, message: &str) -> Answer {
        let hold = self.holds.borrow_mut().remove(name).ok_or_else(|| Failed::other("no such lock"))?;
        let lost = hold.guards().iter().find_map(|guard| match guard.check() {
            Err(Error::Lost(lost)) => Some(reason(&lost)),
            _ => None,
        });
        drop(hold);
        Err(Failed::body(message, lost))
    }

    /// Tells the events of the server from now on.
    fn watch(&self, prefix: &str) -> Answer {
        let mut watch = self.client()?.watch().prefix(prefix).start();
        tokio::task::spawn_local(async move {
            loop {
                match watch.next().await {
                    Ok(Told::Event(event)) => {
                        let fence = event.fence.map(|fence| fence.to_string());
                        out::line(
                            &json!({ "event": "watched", "type": event.kind, "resource": event.resource, "fence": fence }),
                        );
                    }
                    Ok(_) => {}
                    Err(error) => {
                        eprintln!("the watching has ended: {error}");
                        return;
                    }
                }
            }
        });
        Ok(json!({}))
    }

    async fn many(&self, command: &Value) -> Answer {
        let client = self.client()?;
        let ttl = seconds(&command["ttl"]).unwrap_or(Duration::from_secs(30));
        let prefix = command["prefix"].as_str().unwrap_or_default();
        let count = command["count"].as_u64().unwrap_or_default();
        let (mut tasks, mut begun) = (JoinSet::new(), 0);
        loop {
            while begun < count && tasks.len() < AT_ONCE {
                tasks.spawn_local(client.lock(format!("{prefix}{begun}")).ttl(ttl).acquire());
                begun += 1;
            }
            let Some(acquired) = tasks.join_next().await else { break };
            let acquired = acquired.map_err(|error| Failed::other(&error.to_string()))?;
            let guard = acquired.map_err(|error| self.failed(error))?;
            self.many.borrow_mut().push(Hold::One(Box::new(guard)));
        }
        Ok(json!({ "held": self.many.borrow().iter().filter(|hold| hold.is_held()).count() }))
    }

    fn with(&self, name: &str, look: impl FnOnce(&Hold) -> Answer) -> Answer {
        look(self.holds.borrow().get(name).ok_or_else(|| Failed::other("no such lock"))?)
    }

    fn failed(&self, error: Error) -> Failed {
        *self.last_error.borrow_mut() = format!("{error:?}");
        error.into()
    }
}

/// Tells what happens while the lock is waited for and held.
fn reporting(name: &str) -> impl FnMut(Progress) + Send + 'static {
    let lock = name.to_string();
    move |progress| match progress {
        Progress::Waiting(busy) => out::event("waiting", &lock, json!({ "position": busy.position })),
        Progress::Trouble(why) | Progress::RenewalTrouble(why) => {
            out::event("trouble", &lock, json!({ "reason": why }))
        }
        _ => {}
    }
}

fn kind(command: &Value) -> Kind {
    let number = |name: &str| command[name].as_u64().map(|number| number as u32);
    let mut kind = if command["mode"] == "shared" { Kind::shared() } else { Kind::Exclusive };
    if let Some(limit) = number("limit") {
        kind = kind.with_limit(limit);
    }
    if let Some(permits) = number("permits") {
        kind = kind.with_permits(permits);
    }
    kind
}

fn seconds(value: &Value) -> Option<Duration> {
    value.as_f64().map(Duration::from_secs_f64)
}
