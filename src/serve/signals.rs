//! The signals that a replica receives.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::reload::Reloads;

/// The signals that end a replica.
pub struct Ends {
    terminate: Signal,
    quit: Signal,
    interrupt: Signal,
}

/// How a replica is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After SIGTERM or SIGQUIT the replica goes on serving for the delay of the drain, so that a load balancer
    /// notices.
    Patient,
    /// After SIGINT, such as a Ctrl-C, the replica skips the delay.
    Impatient,
}

impl Ends {
    /// Catches the signals from now on.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> End {
        tokio::select! {
            _ = self.terminate.recv() => End::Patient,
            _ = self.quit.recv() => End::Patient,
            _ = self.interrupt.recv() => End::Impatient,
        }
    }

    /// Waits for the next signal that allows no delay.
    pub async fn impatient(&mut self) {
        while self.next().await != End::Impatient {}
    }
}

/// Catches the signals that would by default end a replica at once, without a drain. SIGHUP has files read again; the
/// others mean nothing. Tools that rotate logs send SIGHUP or SIGUSR1, and a terminal that closes sends SIGHUP, also to
/// a replica that has nothing to read again.
pub fn outlive_others() -> io::Result<Reloads> {
    let reloads = Reloads::default();
    for (kind, name) in [
        (SignalKind::hangup(), "SIGHUP"),
        (SignalKind::user_defined1(), "SIGUSR1"),
        (SignalKind::user_defined2(), "SIGUSR2"),
        (SignalKind::alarm(), "SIGALRM"),
    ] {
        let (mut caught, reloads) = (signal(kind)?, reloads.clone());
        tokio::spawn(async move {
            while caught.recv().await.is_some() {
                if kind == SignalKind::hangup() && reloads.ask() {
                    continue;
                }
                info!(signal = name, "a signal changed nothing; SIGTERM drains, and new settings need a restart");
            }
        });
    }
    Ok(reloads)
}
