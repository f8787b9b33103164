//! The signals that a replica gets.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

/// Those that end a replica.
pub struct Ends {
    terminate: Signal,
    quit: Signal,
    interrupt: Signal,
}

/// How a replica is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By SIGTERM or SIGQUIT: it goes on serving for the delay of the drain, so that a load balancer notices.
    Patient,
    /// By SIGINT, such as a Ctrl-C: it skips the delay.
    Impatient,
}

impl Ends {
    /// Catches them from now on.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> End {
        tokio::select! {
            _ = self.terminate.recv() => End::Patient,
            _ = self.quit.recv() => End::Patient,
            _ = self.interrupt.recv() => End::Impatient,
        }
    }

    /// Waits for the next one that allows no delay.
    pub async fn impatient(&mut self) {
        while self.next().await != End::Impatient {}
    }
}

/// Keeps the signals that mean nothing to a replica from ending it at once, without a drain, as they would by default.
/// A terminal that closes sends SIGHUP, and tools that rotate logs send SIGHUP or SIGUSR1.
pub fn outlive_others() -> io::Result<()> {
    for (kind, name) in [
        (SignalKind::hangup(), "SIGHUP"),
        (SignalKind::user_defined1(), "SIGUSR1"),
        (SignalKind::user_defined2(), "SIGUSR2"),
        (SignalKind::alarm(), "SIGALRM"),
    ] {
        let mut caught = signal(kind)?;
        tokio::spawn(async move {
            while caught.recv().await.is_some() {
                info!(signal = name, "a signal changed nothing; SIGTERM drains, and new settings need a restart");
            }
        });
    }
    Ok(())
}
