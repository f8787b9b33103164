//! How long what is ready waits until the replica gets to it: a byte that the replica sends to itself stands in line with
//! the requests of clients.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::metrics::histogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::Notify,
    time::{Instant, sleep},
};
use tracing::error;

/// From one byte to the next.
const PAUSE: Duration = Duration::from_millis(10);
/// A queue stands if no byte came through faster than [`STANDS`] for so long. A burst passes within this time.
const WINDOW: Duration = Duration::from_millis(500);
/// Thousands of clients that come at once, or that each wait for an answer before they ask again, make a queue of some ten
/// milliseconds. That harms nobody: to be refused, and to come back a second later, would.
const STANDS: Duration = Duration::from_millis(250);

/// How long what is ready waits.
#[derive(Debug)]
pub struct Lag {
    /// Whether a request has come since the last byte. An idle replica sends none.
    is_asked: AtomicBool,
    wake: Notify,
    begun: Instant,
    /// How long the last byte took, in microseconds.
    last: AtomicU64,
    /// When the byte that is under way was sent, in microseconds since `begun`; 0 if none is.
    sent: AtomicU64,
    stands: AtomicBool,
    measured: Histogram,
}

impl Lag {
    /// While a queue stands, acquires are refused whose wait would be longer.
    pub const MOST: Duration = Duration::from_millis(500);

    /// Measures from now on, and tells each measurement to the histogram (in seconds).
    pub fn measured_by(measured: Histogram) -> Arc<Self> {
        let lag = Arc::new(Self {
            is_asked: AtomicBool::new(false),
            wake: Notify::new(),
            begun: Instant::now(),
            last: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            stands: AtomicBool::new(false),
            measured,
        });
        let measuring = Arc::clone(&lag);
        tokio::spawn(async move {
            if let Err(error) = measuring.measure().await {
                error!(%error, "can't measure how long requests wait for this replica");
            }
        });
        lag
    }

    /// A request has come.
    pub fn asked(&self) {
        if !self.is_asked.load(Relaxed) && !self.is_asked.swap(true, Relaxed) {
            self.wake.notify_one();
        }
    }

    /// How long requests wait now, if a queue of them stands; nothing if there is none, or only for a moment.
    pub fn standing(&self) -> Option<Duration> {
        if !self.stands.load(Relaxed) {
            return None;
        }
        let sent = self.sent.load(Relaxed);
        let under_way = if sent == 0 { 0 } else { self.now().saturating_sub(sent) };
        Some(Duration::from_micros(self.last.load(Relaxed).max(under_way)))
    }

    async fn measure(&self) -> io::Result<()> {
        let (mut to, mut from) = UnixStream::pair()?;
        // Longer than what is sent: tokio then waits for the kernel to say that there is something to read.
        let mut buffer = [0; 8];
        let (mut window, mut least) = (Instant::now(), Duration::MAX);
        loop {
            if !self.is_asked.swap(false, Relaxed) {
                self.stands.store(false, Relaxed);
                self.wake.notified().await;
                (window, least) = (Instant::now(), Duration::MAX);
            }
            let sent = Instant::now();
            self.sent.store(self.now().max(1), Relaxed);
            to.write_all(&[0]).await?;
            let _ = from.read(&mut buffer).await?;
            let took = sent.elapsed();
            self.last.store(took.as_micros() as u64, Relaxed);
            self.sent.store(0, Relaxed);
            self.measured.observe(took.as_secs_f64());
            least = least.min(took);
            if window.elapsed() >= WINDOW {
                self.stands.store(least > STANDS, Relaxed);
                (window, least) = (Instant::now(), Duration::MAX);
            }
            sleep(PAUSE).await;
        }
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag() -> Arc<Lag> {
        Lag::measured_by(Histogram::new([0.001]))
    }

    #[tokio::test]
    async fn a_queue_that_stands_is_noticed_within_a_moment_and_its_end_too() {
        let lag = lag();
        let mut seen = None;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1500) {
            lag.asked();
            // The runtime of this test has one thread, which does nothing else meanwhile.
            std::thread::sleep(Duration::from_millis(260));
            tokio::task::yield_now().await;
            seen = seen.or(lag.standing().map(|_| begun.elapsed()));
        }
        let seen = seen.expect("it stands");
        assert!(seen >= WINDOW, "{seen:?}");
        let begun = Instant::now();
        while lag.standing().is_some() {
            lag.asked();
            sleep(Duration::from_millis(1)).await;
            assert!(begun.elapsed() < Duration::from_secs(3), "it has gone");
        }
    }

    #[tokio::test]
    async fn a_burst_and_an_idle_replica_have_no_queue() {
        let lag = lag();
        lag.asked();
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_millis(60));
        sleep(Duration::from_millis(30)).await;
        assert_eq!(lag.standing(), None);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(lag.standing(), None);
    }
}
