//! A TCP link between a replica and Redis that a test can break.

use std::{io, time::Duration};

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

use super::Redis;

/// How the link treats what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything arrives.
    Pass,
    /// A new connection is closed at once; those that stand go on.
    Refuse,
    /// Redis gets and executes everything, and nothing of what it says comes back.
    SwallowReplies,
    /// Redis gets nothing.
    SwallowRequests,
    /// Each reply comes this much later.
    DelayReplies(Duration),
}

/// The link. It lives as long as this value and the runtime of the test.
pub struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u32>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A link that lets everything pass.
    pub async fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (mode, cuts) = (watch::Sender::new(Mode::Pass), watch::Sender::new(0));
        let (modes, cut, redis) = (mode.subscribe(), cuts.subscribe(), redis.port);
        let accepting = tokio::spawn(async move {
            while let Ok((replica, _)) = listener.accept().await {
                if *modes.borrow() == Mode::Refuse {
                    continue;
                }
                tokio::spawn(connect(replica, redis, modes.clone(), cut.clone()));
            }
        });
        Self { port, mode, cuts, accepting }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends the connections that stand.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends the connections that stand, and lets no new ones come up.
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

async fn connect(replica: TcpStream, redis: u16, modes: watch::Receiver<Mode>, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    // Where Redis is down the replica sees its connection close.
    let Ok(redis) = TcpStream::connect(("127.0.0.1", redis)).await else { return };
    if replica.set_nodelay(true).and(redis.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_replica, to_replica), (from_redis, to_redis)) = (replica.into_split(), redis.into_split());
    tokio::select! {
        // A replica that closes still has what it sent before delivered, as TCP does.
        _ = carry(from_replica, to_redis, modes.clone(), Mode::SwallowRequests) => {}
        _ = carry(from_redis, to_replica, modes, Mode::SwallowReplies) => {}
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
            // A stream with a hole in it would not be TCP: once something is lost, so is all that follows.
            swallowed |= mode == swallow;
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
            to.write_all(&bytes).await?;
        }
        io::Result::Ok(())
    };
    // Reading ends first and closes the queue; writing then delivers the rest.
    tokio::try_join!(reading, writing).map(|_| ())
}
