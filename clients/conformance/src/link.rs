//! The link before a real replica: it reads every request, and can break.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    leases::Leases,
    wire::{Answer, Connection, Operation, Request, WireLog, read_answer},
};

const UNAVAILABLE: &str = r#"{"errorMessage":"Redis is away.","code":"redis_unavailable","outcome":"not_executed"}"#;

/// What the link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything arrives.
    Pass,
    /// Nobody listens. Open connections go on.
    Refuse,
    /// Nothing arrives, and nothing comes back.
    Swallow,
    /// The replica executes everything, and nothing comes back.
    SwallowAnswers,
    /// The link answers in place of a replica that can't serve.
    Unavailable,
}

/// A link, which works as long as this value lives.
pub struct Link {
    pub url: String,
    mode: watch::Sender<Mode>,
    ends: Arc<Ends>,
    accepting: JoinHandle<()>,
}

struct Ends {
    /// Where the replica is.
    replica: Mutex<String>,
    cuts: watch::Sender<()>,
    log: Arc<WireLog>,
    leases: Arc<Leases>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Link {
    /// A link to the replica at `host:port`.
    pub async fn to(replica: &str, log: &Arc<WireLog>, leases: &Arc<Leases>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let ends = Arc::new(Ends {
            replica: Mutex::new(replica.into()),
            cuts: watch::Sender::new(()),
            log: Arc::clone(log),
            leases: Arc::clone(leases),
        });
        let mode = watch::Sender::new(Mode::Pass);
        let accepting = tokio::spawn(accept(listener, address, mode.subscribe(), Arc::clone(&ends)));
        Ok(Self { url: format!("http://{address}"), mode, ends, accepting })
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends all open connections.
    pub fn cut(&self) {
        self.ends.cuts.send_replace(());
    }

    /// From now on the replica is at `host:port`. Open connections end.
    pub fn lead_to(&self, replica: &str) {
        *self.ends.replica.lock().unwrap_or_else(PoisonError::into_inner) = replica.into();
        self.cut();
    }
}

async fn accept(listener: TcpListener, address: SocketAddr, mut mode: watch::Receiver<Mode>, ends: Arc<Ends>) {
    let mut listener = Some(listener);
    loop {
        let refuses = *mode.borrow_and_update() == Mode::Refuse;
        match &listener {
            Some(_) if refuses => listener = None,
            None if !refuses => listener = TcpListener::bind(address).await.ok(),
            _ => {}
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => if let Some((stream, _)) = accepted {
                let (ends, mode, mut cut) = (Arc::clone(&ends), mode.clone(), ends.cuts.subscribe());
                let connection = Connection::new(stream);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = ends.carry(connection, mode) => {}
                        _ = cut.changed() => {}
                    }
                });
            },
            changed = mode.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

impl Ends {
    /// Carries a connection until either end closes.
    async fn carry(&self, mut client: Connection, mode: watch::Receiver<Mode>) -> io::Result<()> {
        let mut server = None;
        loop {
            let request = tokio::select! {
                request = client.request() => request?,
                // The replica closes a connection that is idle for long.
                () = closed(&mut server) => return Ok(()),
            };
            let Some(request) = request else { return Ok(()) };
            let operation = Operation::of(&request);
            let number = self.log.add(&request, &operation);
            // Also when a cut ends this task.
            let mut note = Note { log: &self.log, number, status: None };
            let present = *mode.borrow();
            match present {
                Mode::Swallow => {
                    client.closed().await;
                    return Ok(());
                }
                Mode::Unavailable => {
                    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n";
                    let length = UNAVAILABLE.len();
                    client.send(format!("{head}Content-Length: {length}\r\n\r\n{UNAVAILABLE}").as_bytes()).await?;
                    note.status = Some(503);
                    continue;
                }
                _ => {}
            }
            let answer = tokio::select! {
                answer = self.ask(&mut server, &request) => answer?,
                // Then the connection to the replica closes too.
                () = client.closed() => return Ok(()),
            };
            let at = Instant::now();
            if (200..300).contains(&answer.status) {
                self.leases.note(&operation, &answer.body, at);
            }
            if matches!(*mode.borrow(), Mode::Swallow | Mode::SwallowAnswers) {
                client.closed().await;
                return Ok(());
            }
            client.send(&answer.raw).await?;
            note.status = Some(answer.status);
            if answer.is_stream {
                return self.stream(client, server).await;
            }
        }
    }

    async fn ask(&self, server: &mut Option<TcpStream>, request: &Request) -> io::Result<Answer> {
        let server = match server {
            Some(server) => server,
            None => {
                let address = self.replica.lock().unwrap_or_else(PoisonError::into_inner).clone();
                server.insert(TcpStream::connect(address).await?)
            }
        };
        server.write_all(&request.raw).await?;
        read_answer(server).await
    }

    /// Carries a stream of events until either end closes.
    async fn stream(&self, mut client: Connection, server: Option<TcpStream>) -> io::Result<()> {
        let Some(mut server) = server else { return Ok(()) };
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let length = tokio::select! {
                length = server.read(&mut bytes) => length?,
                () = client.closed() => return Ok(()),
            };
            if length == 0 {
                return Ok(());
            }
            client.send(bytes.get(..length).unwrap_or_default()).await?;
        }
    }
}

/// Notes at its end what became of a request.
struct Note<'a> {
    log: &'a WireLog,
    number: usize,
    status: Option<u16>,
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        self.log.done(self.number, self.status);
    }
}

/// Completes when the server has closed the connection.
async fn closed(server: &mut Option<TcpStream>) {
    match server {
        Some(server) => drop(server.read(&mut [0]).await),
        None => std::future::pending().await,
    }
}
