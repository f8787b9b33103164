//! The signals that `gorilla lock` passes on.

use std::{io, task::Poll};

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

const PASSED_ON: [Signal; 8] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH, Signal::TSTP];

/// Catches them from when it is made.
pub struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    pub fn catch() -> io::Result<Self> {
        let catch = |caught: Signal| Ok((caught, signal(SignalKind::from_raw(caught.as_raw()))?));
        PASSED_ON.into_iter().map(catch).collect::<io::Result<_>>().map(Self)
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            let caught =
                self.0.iter_mut().find_map(|(number, signal)| signal.poll_recv(context).is_ready().then_some(*number));
            caught.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The next one that is meant to end a process.
    pub async fn next_end(&mut self) -> Signal {
        loop {
            let next = self.next().await;
            if [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM].contains(&next) {
                return next;
            }
        }
    }
}
