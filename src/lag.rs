//! How long what is ready waits until the replica gets to it: a byte that the replica sends to itself stands in line with
//! the requests of clients.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
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

/// Measures how long what is ready waits.
#[derive(Debug)]
pub struct Lag {
    /// Whether a request has come since the last byte. An idle replica sends none.
    is_asked: AtomicBool,
    wake: Notify,
}

impl Lag {
    /// Measures from now on, and tells each measurement to the histogram (in seconds).
    pub fn measured_by(measured: Histogram) -> Arc<Self> {
        let lag = Arc::new(Self { is_asked: AtomicBool::new(false), wake: Notify::new() });
        let measuring = Arc::clone(&lag);
        tokio::spawn(async move {
            if let Err(error) = measuring.measure(measured).await {
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

    async fn measure(&self, measured: Histogram) -> io::Result<()> {
        let (mut to, mut from) = UnixStream::pair()?;
        // Longer than what is sent: tokio then waits for the kernel to say that there is something to read.
        let mut buffer = [0; 8];
        loop {
            if !self.is_asked.swap(false, Relaxed) {
                self.wake.notified().await;
            }
            let sent = Instant::now();
            to.write_all(&[0]).await?;
            let _ = from.read(&mut buffer).await?;
            measured.observe(sent.elapsed().as_secs_f64());
            sleep(PAUSE).await;
        }
    }
}
