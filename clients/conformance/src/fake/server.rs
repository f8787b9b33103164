//! The sockets of a fake.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};
use uuid::Uuid;

use super::{
    answer::answer,
    rule::{Action, Rule},
    script::Script,
};
use crate::{
    leases::Leases,
    wire::{Connection, On, Operation, WireLog},
};

/// How long a connection stays open after an answer with `idle`.
const IDLE: Duration = Duration::from_millis(30);

/// A fake, which serves as long as this value lives.
pub struct Fake {
    pub url: String,
    serving: Arc<Serving>,
    tasks: Vec<JoinHandle<()>>,
}

struct Serving {
    script: Mutex<Script>,
    log: Arc<WireLog>,
    leases: Arc<Leases>,
    /// Where redirections lead.
    trap: String,
    trapped: AtomicU64,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Fake {
    pub async fn start(rules: &[Rule], log: &Arc<WireLog>, leases: &Arc<Leases>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let trap = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = Arc::new(Serving {
            script: Mutex::new(Script::new(rules)),
            log: Arc::clone(log),
            leases: Arc::clone(leases),
            trap: format!("http://{}", trap.local_addr()?),
            trapped: AtomicU64::new(0),
        });
        let (accepting, trapping) = (Arc::clone(&serving), Arc::clone(&serving));
        let tasks = vec![
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let serving = Arc::clone(&accepting);
                    let connection = Connection::new(stream);
                    tokio::spawn(async move {
                        // The client has closed the connection, or has sent what is not HTTP.
                        let _ = serving.serve(connection).await;
                    });
                }
            }),
            tokio::spawn(async move {
                while trap.accept().await.is_ok() {
                    trapping.trapped.fetch_add(1, Relaxed);
                }
            }),
        ];
        Ok(Self { url, serving, tasks })
    }

    /// Where the client did not do what the script says.
    pub fn problems(&self) -> Vec<String> {
        let script = self.serving.script();
        let mut problems = script.problems.clone();
        problems.extend(script.rest());
        if self.serving.trapped.load(Relaxed) > 0 {
            problems.push("the client followed a redirection to another server".into());
        }
        problems
    }
}

impl Serving {
    async fn serve(&self, mut connection: Connection) -> io::Result<()> {
        while let Some(request) = connection.request().await? {
            let came = Instant::now();
            let operation = Operation::of(&request);
            let number = self.log.add(&request, &operation);
            let rule = self.script().take(&request, &operation);
            let Some(rule) = rule else {
                self.log.done(number, None);
                return Ok(());
            };
            if rule.delay > 0.0 {
                tokio::select! {
                    () = sleep(Duration::from_secs_f64(rule.delay)) => {}
                    () = connection.closed() => {
                        self.log.done(number, None);
                        return Ok(());
                    }
                }
            }
            // The lease begins when the server executes the request.
            let executed = if rule.delay > 0.0 { Instant::now() } else { came };
            let ending = rule.does.iter().copied().find(|action| !matches!(action, Action::Execute | Action::Idle));
            let (status, body) = answer(&rule, &operation, &mut self.script(), &self.leases);
            let succeeds = (200..300).contains(&status);
            if rule.does.contains(&Action::Execute) || (ending.is_none() && succeeds) {
                self.leases.note(&operation, &body, executed);
            }
            if matches!(status, 404 | 409) && matches!(operation.on, On::Put | On::Delete) && ends_the_lock(&body) {
                operation.items.iter().for_each(|item| self.leases.end_item(item, executed));
            }
            let whole = whole(status, &body, &rule);
            match ending {
                None => {
                    connection.send(&whole).await?;
                    self.log.done(number, Some(status));
                    if rule.does.contains(&Action::Idle) {
                        sleep(IDLE).await;
                        return Ok(());
                    }
                }
                Some(Action::Html) => {
                    let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
                    let head = head(502, "text/html", page.len(), &[]);
                    connection.send(format!("{head}{page}").as_bytes()).await?;
                    self.log.done(number, Some(502));
                }
                Some(Action::Redirect) => {
                    let location = format!("{}{}", self.trap, request.target);
                    let head = head(302, "text/plain", 0, &[("Location", &location)]);
                    connection.send(head.as_bytes()).await?;
                    self.log.done(number, Some(302));
                }
                Some(ending) => {
                    match ending {
                        Action::Half => {
                            connection.send(whole.get(..whole.len() / 2).unwrap_or_default()).await?;
                            // What was sent should arrive before the connection ends.
                            sleep(IDLE).await;
                        }
                        Action::Hang => connection.closed().await,
                        _ => {}
                    }
                    self.log.done(number, None);
                    if ending == Action::Reset {
                        connection.reset();
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ends_the_lock(body: &Value) -> bool {
    matches!(body["code"].as_str(), Some("lock_not_found" | "token_not_found" | "token_mismatch" | "lock_gone"))
}

/// The bytes of an answer.
fn whole(status: u16, body: &Value, rule: &Rule) -> Vec<u8> {
    let body = if status == 204 { String::new() } else { body.to_string() };
    let headers: Vec<_> = rule.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    format!("{}{body}", head(status, "application/json", body.len(), &headers)).into_bytes()
}

fn head(status: u16, kind: &str, length: usize, headers: &[(&str, &str)]) -> String {
    let id = Uuid::new_v4();
    let mut head = format!("HTTP/1.1 {status} {}\r\nX-Request-Id: {id}\r\n", reason(status));
    if status != 204 {
        head += &format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
    }
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    head + "\r\n"
}

fn reason(status: u16) -> &'static str {
    match status {
        200..300 => "Yes",
        300..400 => "Elsewhere",
        400..500 => "No",
        _ => "Trouble",
    }
}
