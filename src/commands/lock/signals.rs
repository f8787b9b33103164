//! The signals that `gorilla lock` passes on, and that its minder survives.

use std::{fs, io, task::Poll};

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

const PASSED_ON: [Signal; 8] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH, Signal::TSTP];

/// The signals that are meant to end a process.
pub const ENDS: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// Catches signals from the moment it is made.
pub struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// Catches all signals but those that this process ignored when it started. `nohup` and shells without job control
    /// ignore signals that are not meant for a job in the background. Such signals stay ignored, here and in the
    /// command, which inherits that. A signal with a handler here would have its default effect in the command.
    pub fn catch() -> io::Result<Self> {
        let ignored = ignored()?;
        let caught = PASSED_ON.into_iter().filter(|signal| ignored >> (signal.as_raw() - 1) & 1 == 0);
        let catch = |caught: Signal| Ok((caught, signal(SignalKind::from_raw(caught.as_raw()))?));
        caught.map(catch).collect::<io::Result<_>>().map(Self)
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            let caught =
                self.0.iter_mut().find_map(|(number, signal)| signal.poll_recv(context).is_ready().then_some(*number));
            caught.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits for the next signal that is meant to end a process.
    pub async fn next_end(&mut self) -> Signal {
        loop {
            let next = self.next().await;
            if ENDS.contains(&next) {
                return next;
            }
        }
    }
}

/// The signals that this process ignores, as the kernel has them: the lowest bit is signal 1. Read from a file, because
/// the call for it (sigaction) is unsafe.
fn ignored() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.ok_or_else(|| io::Error::other("/proc/self/status does not say which signals are ignored"))
}
