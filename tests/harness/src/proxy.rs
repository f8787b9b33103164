//! A TCP link that a test can break: between a replica and Redis, or between a client and a replica.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{Api, Redis};

/// What the link does with bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything arrives.
    Pass,
    /// The link closes new connections at once. Open connections go on.
    Refuse,
    /// The server gets and executes everything, and none of its replies comes back.
    SwallowReplies,
    /// The server gets nothing.
    SwallowRequests,
    /// Nothing passes in either direction: the network is gone.
    Swallow,
    /// Each reply comes so much later.
    DelayReplies(Duration),
    /// Replies come when the link does something else again.
    HoldReplies,
}

/// The link. It works as long as this value and the runtime of the test live.
pub struct Proxy {
    /// The port on which the link listens on 127.0.0.1.
    pub port: u16,
    server: Arc<AtomicU16>,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u32>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A link to Redis that lets everything pass.
    pub async fn to(redis: &Redis) -> Self {
        Self::to_port(redis.port).await
    }

    /// A link to a replica that lets everything pass.
    pub async fn to_replica(api: &Api) -> Self {
        Self::to_port(port_of(api)).await
    }

    /// A link to the program that listens on a port of this machine.
    pub async fn to_port(server: u16) -> Self {
        let server = Arc::new(AtomicU16::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (mode, cuts) = (watch::Sender::new(Mode::Pass), watch::Sender::new(0));
        let servers = Arc::clone(&server);
        let (modes, cut) = (mode.subscribe(), cuts.subscribe());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *modes.borrow() == Mode::Refuse {
                    continue;
                }
                tokio::spawn(connect(client, servers.load(Relaxed), modes.clone(), cut.clone()));
            }
        });
        Self { port, server, mode, cuts, accepting }
    }

    /// The address of the link, for a replica.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The address of the link, for a client.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// New connections lead to this replica.
    pub fn lead_to(&self, api: &Api) {
        self.server.store(port_of(api), Relaxed);
    }

    /// New connections lead to this server.
    pub fn lead_to_redis(&self, redis: &Redis) {
        self.server.store(redis.port, Relaxed);
    }

    /// The port on which the link listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets what the link does from now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends all open connections.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends all open connections, and lets no new connections come up.
    pub fn sever(&self) {
        self.set(Mode::Refuse);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn port_of(api: &Api) -> u16 {
    let port = api.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.expect("an address has a port")
}

async fn connect(client: TcpStream, server: u16, modes: watch::Receiver<Mode>, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    // If the server is down, the client sees its connection close.
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        // The server still gets what a client sent before it closed the connection, as with TCP.
        _ = carry(from_client, to_server, modes.clone(), Mode::SwallowRequests) => {}
        _ = carry(from_server, to_client, modes, Mode::SwallowReplies) => {}
        _ = cut.changed() => {}
    }
}

/// Carries one direction of a connection until either end closes.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    modes: watch::Receiver<Mode>,
    swallow: Mode,
) -> io::Result<()> {
    let mut later = modes.clone();
    let (queue, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut swallowed = false;
        loop {
            let mut bytes = vec![0; 64 * 1024];
            let length = from.read(&mut bytes).await?;
            if length == 0 {
                return io::Result::Ok(());
            }
            bytes.truncate(length);
            let mode = *modes.borrow();
            // TCP has no streams with holes: once bytes are lost, all later bytes are lost too.
            swallowed |= mode == swallow || mode == Mode::Swallow;
            if swallowed {
                continue;
            }
            let delay = match mode {
                Mode::DelayReplies(delay) if swallow == Mode::SwallowReplies => delay,
                _ => Duration::ZERO,
            };
            let _ = queue.send((Instant::now() + delay, bytes));
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = due.recv().await {
            sleep_until(due).await;
            if swallow == Mode::SwallowReplies {
                let _ = later.wait_for(|mode| *mode != Mode::HoldReplies).await;
            }
            to.write_all(&bytes).await?;
        }
        io::Result::Ok(())
    };
    // The reading ends first and closes the queue. The writing then delivers the rest.
    tokio::try_join!(reading, writing).map(|_| ())
}
